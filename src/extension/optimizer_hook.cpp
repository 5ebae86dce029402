#include "extension/optimizer_hook.hpp"

#include "client/push_down.hpp"
#include "compat/catalog.hpp"
#include "compat/explain.hpp"
#include "engine/extension_versions.hpp"
#include "engine/function_calls.hpp"
#include "extension/explain.hpp"
#include "extension/explain_rows.hpp"
#include "extension/gather_scan.hpp"
#include "extension/local_notice.hpp"
#include "extension/settings.hpp"
#include "planner/distributed_planner.hpp"
#include "planner/place/decide_early.hpp"
#include "engine/internal_query.hpp"

#include "duckdb/optimizer/optimizer.hpp"
#include "duckdb/parallel/task_scheduler.hpp"
#include "duckdb/planner/operator/logical_explain.hpp"
#include "duckdb/storage/buffer_manager.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

//! DuckDB's pointer type around ours: the info that DuckDB keeps for the hook
struct HookInfo : public OptimizerExtensionInfo {
	explicit HookInfo(std::shared_ptr<DatabaseState> database_p) : database(std::move(database_p)) {
	}
	std::shared_ptr<DatabaseState> database;
};

const std::shared_ptr<DatabaseState> &DatabaseOf(OptimizerExtensionInput &input) {
	return static_cast<HookInfo &>(*input.info).database;
}

string WhyNotNow(ClientContext &context, const std::vector<WorkerInfo> &workers) {
	if (workers.empty()) {
		return "no active workers: start some with duckherder_start_local_server or duckherder_register_worker";
	}
	if (!HasOptimizer(context)) {
		return "the optimizer is disabled";
	}
	return string();
}

//! Whoever has started a local server here, has registered a worker here, or has said how many rows are enough, wants
//! workers to be used. Workers that send heartbeats, to this driver or to another one, have been named by nobody here.
bool DecidedByCost(ClientContext &context, DistributionMode mode, const std::vector<WorkerInfo> &workers,
                   LocalNodes &nodes) {
	return mode == DistributionMode::AUTO && !MinRowsAreChosen(context) && !RequiresDistributed(context) &&
	       !nodes.ServerRuns() &&
	       std::all_of(workers.begin(), workers.end(), [](auto &worker) { return worker.sends_heartbeats; });
}

Machines MachinesOf(ClientContext &context, const std::vector<WorkerInfo> &workers, const ClusterCosts &costs) {
	Machines machines;
	machines.session_threads = NumericCast<uint32_t>(TaskScheduler::GetScheduler(context).NumberOfThreads());
	machines.session_memory_bytes = BufferManager::GetBufferManager(context).GetMaxMemory();
	machines.workers = NumericCast<uint32_t>(workers.size());
	machines.worker_threads = 0;
	for (auto &worker : workers) {
		machines.worker_threads += worker.threads;
		machines.worker_memory_bytes += worker.memory_limit_bytes;
	}
	machines.costs = costs;
	return machines;
}

//! What follows from the workers that are there, of whom there is one at least
void UseWorkers(ClientContext &context, DistributionMode mode, const std::vector<WorkerInfo> &workers,
                const DatabaseState &database, PlannerOptions &options) {
	options.workers = NumericCast<uint32_t>(workers.size());
	options.worker_memory_bytes =
	    std::ranges::min_element(workers, {}, &WorkerInfo::memory_limit_bytes)->memory_limit_bytes;
	options.machines.reset();
	if (DecidedByCost(context, mode, workers, *database.nodes)) {
		options.machines = MachinesOf(context, workers, database.services.costs->Get());
	}
}

bool StartsRandomNumbers(LogicalOperator &op) {
	auto starts = false;
	VisitFunctions(op, [&](const FunctionCall &call) { starts = starts || call.name == "setseed"; });
	return starts ||
	       std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return StartsRandomNumbers(*child); });
}

//! Empty if the query may be distributed, as far as is known without a question to anybody.
string WhyStaysHere(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	auto reason = WhyNotCandidate(context, plan, options);
	return reason.empty() && options.machines ? WhyDoneAtOnce(context, plan, options) : reason;
}

//! Nobody takes tasks now, but workers may be started for queries that wait for them. Is this one worth it? It is if it
//! would not stay here beside a worker that is as large as this session.
bool WaitsForWorkers(ClientContext &context, LogicalOperator &plan, DistributionMode mode, DatabaseState &database,
                     bool seeded) {
	if (database.WorkerWaitMs() == 0 || IsOnlyPrepared(context) || plan.type == LogicalOperatorType::LOGICAL_EXPLAIN ||
	    !HasOptimizer(context)) {
		return false;
	}
	WorkerInfo worker;
	worker.threads = NumericCast<uint32_t>(TaskScheduler::GetScheduler(context).NumberOfThreads());
	worker.memory_limit_bytes = BufferManager::GetBufferManager(context).GetMaxMemory();
	worker.sends_heartbeats = true;
	auto options = PlannerOptionsOf(context);
	options.seeded = seeded;
	UseWorkers(context, mode, {worker}, database, options);
	return WhyStaysHere(context, plan, options).empty();
}

//! The query may go to workers: now is the time to ask who is there.
void Prepare(ClientContext &context, LogicalOperator &plan, DistributionMode mode, DatabaseState &database,
             SessionState::Planning &planning) {
	auto workers = database.ActiveWorkers();
	planning.reason = WhyNotNow(context, workers);
	if (!planning.reason.empty()) {
		planning.could_run_there = false;
		return;
	}
	auto &options = planning.options;
	UseWorkers(context, mode, workers, database, options);
	if (options.machines) {
		auto early = DecideEarly(context, plan, options);
		if (early.where == EarlyDecision::Where::SESSION) {
			planning.reason = early.reason;
			return;
		}
		options.is_decided = early.where == EarlyDecision::Where::WORKERS;
	}
	planning.candidate = true;
	PrepareForDistribution(plan, options);
	// now: either side may have loaded one since the worker was registered
	auto extensions = LoadedExtensions(*context.db);
	for (auto &worker : workers) {
		CheckExtensions(extensions, worker);
	}
}

void BeforeOptimizer(OptimizerExtensionInput &input, unique_ptr<LogicalOperator> &plan) {
	if (InternalQuery::Active() || ShowsSql(*plan)) {
		return;
	}
	auto &context = input.context;
	PushDownWhole(context, plan);
	auto &database = DatabaseOf(input);
	auto session = SessionState::Get(context, database);
	session->seeded = session->seeded || StartsRandomNumbers(*plan);
	auto &planning = session->planning;
	planning = SessionState::Planning();
	planning.start_us = database->services.clock->NowUs();
	planning.reads_data = ReadsData(context, *plan);
	if (!planning.reads_data) {
		return;
	}
	auto mode = ModeOf(context);
	if (mode == DistributionMode::NEVER) {
		planning.reason = "duckherder_mode is 'never'";
		return;
	}
	// what stays here anyway costs no question to anybody
	auto workers = database->KnownWorkers();
	if (workers.empty()) {
		workers = database->ActiveWorkers();
	}
	if (workers.empty() && WaitsForWorkers(context, *plan, mode, *database, session->seeded)) {
		session->AwaitWorkers(context, WhyNotNow(context, workers));
		workers = database->ActiveWorkers();
	}
	planning.reason = WhyNotNow(context, workers);
	if (!planning.reason.empty()) {
		return;
	}
	planning.could_run_there = true;
	planning.options = PlannerOptionsOf(context);
	planning.options.seeded = session->seeded;
	UseWorkers(context, mode, workers, *database, planning.options);
	planning.reason = WhyStaysHere(context, *plan, planning.options);
	if (!planning.reason.empty()) {
		return;
	}
	Prepare(context, *plan, mode, *database, planning);
}

void CheckRequired(ClientContext &context, const string &reason) {
	if (!reason.empty() && RequiresDistributed(context)) {
		throw InvalidInputException("The query cannot be distributed as a whole, and duckherder_require_distributed is "
		                            "on: %s",
		                            reason);
	}
}

void AfterOptimizer(OptimizerExtensionInput &input, unique_ptr<LogicalOperator> &plan) {
	if (InternalQuery::Active() || ShowsSql(*plan)) {
		return;
	}
	auto &context = input.context;
	PushDownOptimized(context, plan);
	auto &database = DatabaseOf(input);
	auto session = SessionState::Get(context, database);
	auto &planning = session->planning;
	if (!planning.reads_data) {
		return;
	}
	auto is_explain = plan->type == LogicalOperatorType::LOGICAL_EXPLAIN;
	auto reason = planning.reason;
	if (planning.candidate) {
		auto distributed =
		    std::make_shared<DistributedPlan>(PlanDistributed(context, input.optimizer.binder, plan, planning.options));
		CheckRequired(context, distributed->reason);
		distributed->planning_us = database->services.clock->NowUs() - planning.start_us;
		if (distributed->Distributed()) {
			AttachGathers(plan, distributed, database);
			if (is_explain) {
				auto analyze = plan->Cast<LogicalExplain>().explain_type == ExplainType::EXPLAIN_ANALYZE;
				AddExplainRow(plan, FactsOf(context, *distributed, *plan->children[0], !analyze), distributed,
				              database);
			}
			return;
		}
		reason = distributed->reason;
	}
	CheckRequired(context, reason);
	if (!is_explain) {
		session->RecordLocal(context, reason);
	} else if (planning.could_run_there) {
		plan->children[0] = WithLocalNotice(std::move(plan->children[0]), reason);
		AddExplainRow(plan, LocalFacts(reason), nullptr, database);
	}
}

} // namespace

void RegisterOptimizerHook(DBConfig &config, std::shared_ptr<DatabaseState> database) {
	OptimizerExtension hook;
	hook.pre_optimize_function = BeforeOptimizer;
	hook.optimize_function = AfterOptimizer;
	hook.optimizer_info = make_shared_ptr<HookInfo>(std::move(database));
	OptimizerExtension::Register(config, hook);
}

std::shared_ptr<DatabaseState> DatabaseStateOf(ClientContext &context) {
	for (auto &hook : OptimizerExtension::Iterate(context)) {
		if (hook.optimize_function == AfterOptimizer) {
			return static_cast<HookInfo &>(*hook.optimizer_info).database;
		}
	}
	throw InternalException("This database has settings of Duckherder, but not its optimizer hook");
}

} // namespace duckherder

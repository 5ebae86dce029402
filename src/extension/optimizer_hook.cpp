#include "extension/optimizer_hook.hpp"

#include "client/push_down.hpp"
#include "engine/extension_versions.hpp"
#include "engine/function_calls.hpp"
#include "extension/gather_scan.hpp"
#include "extension/local_notice.hpp"
#include "extension/settings.hpp"
#include "planner/distributed_planner.hpp"
#include "engine/internal_query.hpp"

#include "duckdb/optimizer/optimizer.hpp"

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

string WhyNotNow(ClientContext &context, DistributionMode mode, const std::vector<WorkerInfo> &workers) {
	if (mode == DistributionMode::NEVER) {
		return "duckherder_mode is 'never'";
	}
	if (workers.empty()) {
		return "no active workers: start some with duckherder_start_local_server or duckherder_register_worker";
	}
	if (ClientConfig::GetConfig(context).enable_optimizer == false) {
		return "the optimizer is disabled";
	}
	return string();
}

bool StartsRandomNumbers(LogicalOperator &op) {
	auto starts = false;
	VisitFunctions(op, [&](const FunctionCall &call) { starts = starts || call.name == "setseed"; });
	return starts ||
	       std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return StartsRandomNumbers(*child); });
}

void BeforeOptimizer(OptimizerExtensionInput &input, unique_ptr<LogicalOperator> &plan) {
	if (InternalQuery::Active()) {
		return;
	}
	auto &context = input.context;
	PushDownWhole(context, plan);
	auto &database = DatabaseOf(input);
	auto session = SessionState::Get(context, database);
	session->seeded = session->seeded || StartsRandomNumbers(*plan);
	auto &planning = session->planning;
	planning = SessionState::Planning();
	planning.reads_data = ReadsData(context, *plan);
	if (!planning.reads_data) {
		return;
	}
	auto mode = ModeOf(context);
	auto workers = mode == DistributionMode::NEVER ? std::vector<WorkerInfo>() : database->ActiveWorkers();
	planning.reason = WhyNotNow(context, mode, workers);
	if (!planning.reason.empty()) {
		return;
	}
	planning.could_run_there = true;
	planning.options = PlannerOptionsOf(context, NumericCast<uint32_t>(workers.size()));
	planning.options.seeded = session->seeded;
	auto smallest =
	    std::min_element(workers.begin(), workers.end(), [](const WorkerInfo &left, const WorkerInfo &right) {
		    return left.memory_limit_bytes < right.memory_limit_bytes;
	    });
	planning.options.worker_memory_bytes = smallest->memory_limit_bytes;
	planning.candidate = PrepareForDistribution(context, *plan, planning.options, planning.reason);
	if (planning.candidate) {
		// now: either side may have loaded one since the worker was registered
		auto extensions = LoadedExtensions(*context.db);
		for (auto &worker : workers) {
			CheckExtensions(extensions, worker);
		}
	}
}

void CheckRequired(ClientContext &context, const string &reason) {
	if (!reason.empty() && RequiresDistributed(context)) {
		throw InvalidInputException("The query cannot be distributed as a whole, and duckherder_require_distributed is "
		                            "on: %s",
		                            reason);
	}
}

void AfterOptimizer(OptimizerExtensionInput &input, unique_ptr<LogicalOperator> &plan) {
	if (InternalQuery::Active()) {
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
		if (distributed->Distributed()) {
			AttachGathers(plan, distributed, database);
			return;
		}
		reason = distributed->reason;
	}
	CheckRequired(context, reason);
	if (!is_explain) {
		session->RecordLocal(context, reason);
	} else if (planning.could_run_there) {
		plan->children[0] = WithLocalNotice(std::move(plan->children[0]), reason);
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

} // namespace duckherder

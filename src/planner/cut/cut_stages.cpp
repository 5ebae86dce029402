#include "planner/cut/cut_stages.hpp"

#include "engine/exchange_scan.hpp"
#include "planner/place/check_support.hpp"
#include "planner/place/choose_joins.hpp"
#include "planner/place/join_traits.hpp"
#include "planner/cut/describe_stage.hpp"
#include "planner/cut/key_filters.hpp"
#include "planner/place/logical_exchange.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "duckdb/planner/operator/logical_copy_to_file.hpp"
#include "duckdb/planner/operator/logical_cteref.hpp"
#include "duckdb/planner/operator/logical_materialized_cte.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Whether every value of one type has its like in the other
bool IsWidening(const LogicalType &from, const LogicalType &to) {
	if (from == to || (to.id() == LogicalTypeId::VARCHAR && !to.IsJSONType())) {
		return true;
	}
	return from.IsNumeric() && to.IsNumeric() && LogicalType::ForceMaxLogicalType(from, to) == to;
}

bool HasNarrowingCast(const Expression &expression) {
	if (expression.GetExpressionClass() == ExpressionClass::BOUND_CAST) {
		auto &cast = expression.Cast<BoundCastExpression>();
		if (!cast.try_cast && !IsWidening(cast.child->return_type, cast.return_type)) {
			return true;
		}
	}
	auto result = false;
	ExpressionIterator::EnumerateChildren(expression,
	                                      [&](const Expression &child) { result = result || HasNarrowingCast(child); });
	return result;
}

//! Some row may make it fail. DuckDB's own CanThrow believes that a cast to a larger type cannot, even if there is no
//! such cast.
bool MayFail(const Expression &expression) {
	return expression.CanThrow() || HasNarrowingCast(expression);
}

bool ExpressionsMayFail(LogicalOperator &op) {
	auto result = false;
	LogicalOperatorVisitor::EnumerateExpressions(
	    op, [&](unique_ptr<Expression> *expression) { result = result || MayFail(**expression); });
	return result;
}

bool MayFail(LogicalOperator &op) {
	return ExpressionsMayFail(op) ||
	       std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return MayFail(*child); });
}

class StageCutter {
public:
	explicit StageCutter(DistributedPlan &result_p) : result(result_p) {
	}

	//! What holds for an operator because of those above it in its stage
	struct Above {
		bool order_matters = true;
		//! Tasks could share its rows, if each had all rows of the other inputs
		bool may_slice = false;
	};

	//! `stage`: the stage that `op` is part of, null for the session's part
	void Cut(unique_ptr<LogicalOperator> &op, optional_ptr<StagePlan> stage, Above above) {
		if (IsExchange(*op)) {
			CutExchange(op, stage, above.may_slice);
			return;
		}
		if (op->type == LogicalOperatorType::LOGICAL_MATERIALIZED_CTE && StaysWithWorkers(*op->children[0])) {
			CutSharedCTE(op);
			Cut(op, stage, above);
			return;
		}
		if (op->type == LogicalOperatorType::LOGICAL_CTE_REF && stage) {
			auto shared = shared_ctes.find(op->Cast<LogicalCTERef>().cte_index);
			if (shared != shared_ctes.end()) {
				auto producer = shared->second;
				Connect(*stage, producer, above.may_slice);
				op = MakeScan(ExchangeScanSource {false, producer}, *op);
				return;
			}
		}
		if (stage && op->type == LogicalOperatorType::LOGICAL_GET && !MakesRowsFromConstants(op->Cast<LogicalGet>())) {
			CutScan(op, *stage, above.order_matters);
			return;
		}
		if (stage &&
		    (op->type == LogicalOperatorType::LOGICAL_LIMIT || op->type == LogicalOperatorType::LOGICAL_TOP_N ||
		     op->type == LogicalOperatorType::LOGICAL_WINDOW)) {
			stage->repeatable = false;
		}
		auto order_below = ResultDependsOnInputOrder(*op, above.order_matters);
		for (idx_t i = 0; i < op->children.size(); i++) {
			Cut(op->children[i], stage, Above {order_below, above.may_slice && MaySliceBelow(*op, i)});
		}
	}

	//! What the exchanges have become; only addresses are left of them
	std::unordered_map<const LogicalExchange *, StageId> stages_of;

	//! DuckDB computes the keys of a join's left side only if there is a right side. So a stage whose keys could fail
	//! waits to learn that. Before the key filters, which must not make the right side wait
	void KeepFailingKeysBack() {
		for (auto &entry : skip_if_empty) {
			auto &stage = result.stages[stages_of.at(entry.exchange)];
			auto right = stages_of.at(entry.without);
			if (stage.output.column_count > 0 && ExpressionsMayFail(*stage.fragment) &&
			    !WaitsFor(result.stages, right, stage.id)) {
				stage.after.push_back(right);
			}
		}
	}

	//! A stage that waits for the right side of its join does nothing if there is none. After the key filters
	void SkipIfEmptyInput() {
		for (auto &entry : skip_if_empty) {
			auto &stage = result.stages[stages_of.at(entry.exchange)];
			auto right = stages_of.at(entry.without);
			if (std::find(stage.after.begin(), stage.after.end(), right) != stage.after.end()) {
				auto &below_keys = stage.output.column_count > 0 ? *stage.fragment->children[0] : *stage.fragment;
				stage.skip_if_empty = SkipIfEmpty {right, MayFail(below_keys)};
			}
		}
	}

	//! Keeps of the joins whose kind is open those where it can still be either; after the key filters
	void CommitAdaptiveJoins() {
		for (auto &adaptive : adaptive_joins) {
			auto probe = stages_of.at(adaptive.probe);
			auto build = stages_of.at(adaptive.build);
			auto reader = ConsumerOf(probe);
			auto &stage = result.stages[probe];
			if (!reader || !CanJoinEitherWay(*reader, probe, build) || !stage.output.collected_keys.empty() ||
			    WaitsFor(result.stages, build, probe)) {
				continue;
			}
			stage.adaptive_join = AdaptiveJoin {build, reader->id, adaptive.probe_bytes};
			if (std::find(stage.after.begin(), stage.after.end(), build) == stage.after.end()) {
				stage.after.push_back(build);
			}
		}
	}

private:
	struct Candidate {
		const LogicalExchange *probe;
		const LogicalExchange *build;
		uint64_t probe_bytes;
	};

	struct Skippable {
		const LogicalExchange *exchange;
		const LogicalExchange *without;
	};

	DistributedPlan &result;
	vector<Candidate> adaptive_joins;
	vector<Skippable> skip_if_empty;
	//! Stages whose output several scans read
	unordered_map<idx_t, StageId> shared_ctes;

	bool MaySliceBelow(const LogicalOperator &op, idx_t child) const {
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_PROJECTION:
		case LogicalOperatorType::LOGICAL_FILTER:
		case LogicalOperatorType::LOGICAL_UNNEST:
			return true;
		case LogicalOperatorType::LOGICAL_COPY_TO_FILE:
			// each of several tasks would write a file for each of the partitions that they share
			return !op.Cast<LogicalCopyToFile>().partition_output;
		case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
		case LogicalOperatorType::LOGICAL_ASOF_JOIN:
		case LogicalOperatorType::LOGICAL_ANY_JOIN:
		case LogicalOperatorType::LOGICAL_CROSS_PRODUCT:
			return child == 0 ? TraitsOf(op).may_broadcast_right : TraitsOf(op).may_broadcast_left;
		default:
			return result.task_local.count(&op) > 0;
		}
	}

	//! Whether what reads a CTE's rows is in stages, too; else they come to the session, where the CTE is
	static bool StaysWithWorkers(LogicalOperator &definition) {
		return IsExchange(definition) && definition.Cast<LogicalExchange>().exchange.kind != ExchangeKind::RESULT;
	}

	//! The definition becomes a stage; what reads it stands alone
	void CutSharedCTE(unique_ptr<LogicalOperator> &op) {
		auto cte_index = op->Cast<LogicalMaterializedCTE>().table_index;
		CutExchange(op->children[0], nullptr, false);
		shared_ctes[cte_index] = result.stages.back().id;
		auto reader = std::move(op->children[1]);
		op = std::move(reader);
	}

	optional_ptr<StagePlan> ConsumerOf(StageId producer) {
		for (auto &stage : result.stages) {
			if (std::find(stage.inputs.begin(), stage.inputs.end(), producer) != stage.inputs.end()) {
				return stage;
			}
		}
		return nullptr;
	}

	//! Nothing in the reader needs the rows to be partitioned other than the join itself
	bool CanJoinEitherWay(const StagePlan &reader, StageId probe, StageId build) const {
		auto &sliceable = reader.sliceable_inputs;
		auto partitioned = std::count_if(reader.inputs.begin(), reader.inputs.end(), [&](StageId input) {
			return IsPartitioned(result.stages[input].output.kind);
		});
		return !reader.scan && partitioned == 2 &&
		       std::find(reader.inputs.begin(), reader.inputs.end(), build) != reader.inputs.end() &&
		       std::find(sliceable.begin(), sliceable.end(), probe) != sliceable.end();
	}

	void Connect(StagePlan &consumer, StageId producer, bool may_slice) {
		auto &inputs = consumer.inputs;
		auto &sliceable = consumer.sliceable_inputs;
		if (std::find(inputs.begin(), inputs.end(), producer) == inputs.end()) {
			inputs.push_back(producer);
			if (may_slice) {
				sliceable.push_back(producer);
			}
		} else {
			// read twice: a slice would be one of both
			sliceable.erase(std::remove(sliceable.begin(), sliceable.end(), producer), sliceable.end());
		}
		auto &output = result.stages[producer].output;
		if (output.kind == ExchangeKind::BROADCAST) {
			consumer.few_tasks = true;
		} else {
			consumer.partitions = MaxValue(consumer.partitions, output.partition_count);
		}
	}

	unique_ptr<LogicalExchangeScan> MakeScan(const ExchangeScanSource &source, LogicalOperator &op) {
		auto scan = make_uniq<LogicalExchangeScan>();
		scan->source = source;
		scan->bindings = op.GetColumnBindings();
		scan->return_types = op.types;
		scan->SetEstimatedCardinality(op.has_estimated_cardinality ? op.estimated_cardinality : 1);
		return scan;
	}

	void CutExchange(unique_ptr<LogicalOperator> &op, optional_ptr<StagePlan> consumer, bool may_slice) {
		op->ResolveOperatorTypes();
		auto &exchange = op->Cast<LogicalExchange>();
		StagePlan stage;
		stage.output = exchange.exchange;
		stage.types = exchange.types;
		stage.estimated_rows = exchange.has_estimated_cardinality ? exchange.estimated_cardinality : 1;
		stage.fragment = std::move(exchange.children[0]);
		stage.writes_files = stage.fragment->type == LogicalOperatorType::LOGICAL_COPY_TO_FILE;
		stage.few_tasks = stage.writes_files;
		Cut(stage.fragment, &stage, Above {exchange.exchange.ordered, true});
		stage.fragment->ResolveOperatorTypes();
		stage.id = static_cast<StageId>(result.stages.size());

		auto id = stage.id;
		if (exchange.adaptive_build) {
			adaptive_joins.push_back({&exchange, exchange.adaptive_build.get(), EstimatedBytes(exchange)});
			stage.few_tasks = stage.few_tasks || exchange.expects_broadcast;
		}
		if (exchange.skip_without) {
			skip_if_empty.push_back({&exchange, exchange.skip_without.get()});
		}
		stages_of[&exchange] = id;
		op = MakeScan(ExchangeScanSource {false, id}, exchange);
		result.stages.push_back(std::move(stage));
		if (consumer) {
			Connect(*consumer, id, may_slice);
		}
	}

	void CutScan(unique_ptr<LogicalOperator> &op, StagePlan &stage, bool order_matters) {
		op->ResolveOperatorTypes();
		auto &get = op->Cast<LogicalGet>();
		if (stage.scan) {
			throw InternalException("A stage has two base scans: %s and %s", stage.scan->Get().function.name,
			                        get.function.name);
		}
		stage.scan = make_uniq<StageScan>();
		stage.scan->reader = ReaderOf(get);
		stage.scan->table_index = get.table_index;
		stage.scan->order_matters = order_matters;
		if (stage.scan->reader == StageScan::Reader::WORKER) {
			stage.scan->scan = &get;
			return;
		}
		auto scan = MakeScan(ExchangeScanSource {true, 0}, get);
		stage.scan->feed_scan = unique_ptr_cast<LogicalOperator, LogicalGet>(std::move(op));
		op = std::move(scan);
	}
};

} // namespace

void CutStages(unique_ptr<LogicalOperator> &plan, DistributedPlan &result) {
	vector<KeyFilterCandidate> key_filters;
	if (result.options.dynamic_filters) {
		key_filters = FindKeyFilters(*plan);
	}
	StageCutter cutter(result);
	cutter.Cut(plan, nullptr, StageCutter::Above());
	cutter.KeepFailingKeysBack();
	ConnectKeyFilters(key_filters, cutter.stages_of, result);
	cutter.SkipIfEmptyInput();
	cutter.CommitAdaptiveJoins();
	for (auto &stage : result.stages) {
		stage.description = DescribeStage(stage, result);
	}
	result.task_local.clear();
	result.broadcast_right.clear();
}

} // namespace duckherder

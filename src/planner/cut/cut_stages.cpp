#include "planner/cut/cut_stages.hpp"

#include "compat/names.hpp"
#include "engine/exchange_scan.hpp"
#include "common/contains.hpp"
#include "planner/place/check_support.hpp"
#include "planner/place/join_traits.hpp"
#include "planner/place/logical_exchange.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/planner/operator/logical_copy_to_file.hpp"
#include "duckdb/planner/operator/logical_cteref.hpp"
#include "duckdb/planner/operator/logical_materialized_cte.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

class StageCutter {
public:
	StageCutter(const InPlaceScans &in_place_p, const ClusteredScans &clustered_p, vector<StagePlan> &stages_p)
	    : in_place(in_place_p), clustered(clustered_p), stages(stages_p) {
	}

	//! What holds for an operator because of those above it in its stage
	struct AboveInStage {
		bool order_matters = true;
		//! Tasks could share its rows, if each had all rows of the other inputs
		bool may_slice = false;
		//! The next operator that is not a projection works on what each task has, whatever that is
		bool has_local_step = false;
	};

	//! `stage`: the stage that `op` is part of, null for the session's part
	void Cut(unique_ptr<LogicalOperator> &op, optional_ptr<StagePlan> stage, AboveInStage above) {
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
			Cut(op->children[i], stage,
			    AboveInStage {order_below, above.may_slice && MaySliceBelow(*op, i, above.has_local_step),
			                  above.has_local_step && op->type == LogicalOperatorType::LOGICAL_PROJECTION});
		}
	}

private:
	const InPlaceScans &in_place;
	const ClusteredScans &clustered;
	vector<StagePlan> &stages;
	//! Stages whose output several scans read
	unordered_map<TableIndex, StageId> shared_ctes;

	static bool MaySliceBelow(const LogicalOperator &op, idx_t child, bool is_local_step) {
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
			return is_local_step;
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
		shared_ctes[cte_index] = stages.back().id;
		auto reader = std::move(op->children[1]);
		op = std::move(reader);
	}

	void Connect(StagePlan &consumer, StageId producer, bool may_slice) {
		auto &inputs = consumer.inputs;
		auto &sliceable = consumer.sliceable_inputs;
		if (!Contains(inputs, producer)) {
			inputs.push_back(producer);
			if (may_slice) {
				sliceable.push_back(producer);
			}
		} else {
			// read twice: a slice would be one of both
			sliceable.erase(std::remove(sliceable.begin(), sliceable.end(), producer), sliceable.end());
		}
		auto &output = stages[producer].output;
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
		stage.id = exchange.number;
		stage.output = exchange.exchange;
		stage.types = exchange.types;
		stage.estimated_rows = exchange.has_estimated_cardinality ? exchange.estimated_cardinality : 1;
		stage.fragment = std::move(exchange.children[0]);
		stage.writes_files = stage.fragment->type == LogicalOperatorType::LOGICAL_COPY_TO_FILE;
		stage.few_tasks = stage.writes_files;
		Cut(stage.fragment, &stage, AboveInStage {exchange.exchange.ordered, true, exchange.has_local_step});
		stage.fragment->ResolveOperatorTypes();
		if (exchange.children.size() > 1) {
			CutExchange(exchange.children[1], nullptr, false);
		}
		stage.bounds_from = exchange.bounds_from;
		if (stage.bounds_from && !Contains(stage.inputs, *stage.bounds_from)) {
			stage.after.push_back(*stage.bounds_from);
		}
		if (stage.id != stages.size()) {
			throw InternalException("Exchange %d is cut as stage %d", stage.id, stages.size());
		}
		auto id = stage.id;
		op = MakeScan(ExchangeScanSource {false, id}, exchange);
		stages.push_back(std::move(stage));
		if (consumer) {
			Connect(*consumer, id, may_slice);
		}
	}

	void CutScan(unique_ptr<LogicalOperator> &op, StagePlan &stage, bool order_matters) {
		op->ResolveOperatorTypes();
		auto &get = op->Cast<LogicalGet>();
		auto scan = make_uniq<StageScan>();
		scan->reader = ReaderOf(get);
		scan->table_index = IndexOf(get.table_index);
		scan->order_matters = order_matters;
		auto columns = in_place.columns.find(scan->table_index);
		if (columns != in_place.columns.end()) {
			scan->in_place_by = columns->second;
			scan->clusters = clustered.at(scan->table_index);
		}
		if (scan->reader == StageScan::Reader::WORKER) {
			scan->scan = &get;
		} else {
			auto feed = MakeScan(ExchangeScanSource {true, 0}, get);
			scan->feed_scan = unique_ptr_cast<LogicalOperator, LogicalGet>(std::move(op));
			op = std::move(feed);
		}
		AddScan(stage, std::move(scan));
	}

	//! The first one of those that are aligned cuts the others.
	void AddScan(StagePlan &stage, unique_ptr<StageScan> scan) {
		auto group = in_place.AlignedWith(scan->table_index);
		if (stage.scan && !Contains(group, stage.scan->table_index)) {
			throw InternalException("A stage has two base scans: %s and %s", FunctionName(stage.scan->Get().function),
			                        FunctionName(scan->Get().function));
		}
		if (!stage.scan) {
			stage.scan = std::move(scan);
			return;
		}
		if (group[0] == scan->table_index) {
			std::swap(stage.scan, scan);
		}
		if (stage.scan->in_place_by.size() != 1 || scan->in_place_by.size() != 1) {
			throw InternalException("Scans of a stage are aligned, and one of them is cut by another column, too");
		}
		stage.aligned_scans.push_back(std::move(*scan));
	}
};

} // namespace

void CutStages(unique_ptr<LogicalOperator> &plan, const InPlaceScans &in_place, const ClusteredScans &clustered,
               vector<StagePlan> &stages) {
	StageCutter(in_place, clustered, stages).Cut(plan, nullptr, StageCutter::AboveInStage());
}

} // namespace duckherder

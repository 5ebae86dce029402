#pragma once

#include "client/remote_catalog.hpp"
#include "client/run_remote.hpp"

#include "duckdb/execution/physical_operator.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Source: the rows of a plan that runs at a driver. Its children are PhysicalUploads, which end before it starts.
class PhysicalRemotePlan : public duckdb::PhysicalOperator {
public:
	static constexpr const duckdb::PhysicalOperatorType TYPE = duckdb::PhysicalOperatorType::EXTENSION;

	PhysicalRemotePlan(duckdb::PhysicalPlan &physical_plan, RemoteCatalog &catalog,
	                   duckdb::shared_ptr<duckdb::LogicalOperator> plan, std::shared_ptr<RemoteSnapshot> snapshot,
	                   duckdb::vector<duckdb::LogicalType> types, RemoteRun run, bool changes_catalog,
	                   duckdb::idx_t estimated_cardinality);

	duckdb::string GetName() const override;
	duckdb::InsertionOrderPreservingMap<duckdb::string> ParamsToString() const override;
	duckdb::unique_ptr<duckdb::GlobalSourceState> GetGlobalSourceState(duckdb::ClientContext &context) const override;
	duckdb::ProgressData GetProgress(duckdb::ClientContext &context,
	                                 duckdb::GlobalSourceState &source_state) const override;
	duckdb::unique_ptr<duckdb::LocalSourceState>
	GetLocalSourceState(duckdb::ExecutionContext &context, duckdb::GlobalSourceState &global_state) const override;
	bool SupportsPartitioning(const duckdb::OperatorPartitionInfo &partition_info) const override;
	duckdb::OperatorPartitionData GetPartitionData(duckdb::ExecutionContext &context, duckdb::DataChunk &chunk,
	                                               duckdb::GlobalSourceState &global_state,
	                                               duckdb::LocalSourceState &local_state,
	                                               const duckdb::OperatorPartitionInfo &partition_info) const override;
	bool IsSource() const override {
		return true;
	}
	bool ParallelSource() const override {
		return true;
	}
	//! The plan may end in an ORDER BY, which a setting of the client must not undo
	duckdb::OrderPreservationType SourceOrder() const override {
		return duckdb::OrderPreservationType::FIXED_ORDER;
	}
	void BuildPipelines(duckdb::Pipeline &current, duckdb::MetaPipeline &meta_pipeline) override;
	duckdb::vector<duckdb::const_reference<duckdb::PhysicalOperator>> GetSources() const override;

protected:
	duckdb::SourceResultType GetDataInternal(duckdb::ExecutionContext &context, duckdb::DataChunk &chunk,
	                                         duckdb::OperatorSourceInput &input) const override;

private:
	RemoteCatalog &catalog;
	duckdb::shared_ptr<duckdb::LogicalOperator> plan;
	std::shared_ptr<RemoteSnapshot> snapshot;
	const RemoteRun run;
	const bool changes_catalog;
};

//! Sink: sends the rows of its child to a driver, in their order.
class PhysicalUpload : public duckdb::PhysicalOperator {
public:
	static constexpr const duckdb::PhysicalOperatorType TYPE = duckdb::PhysicalOperatorType::EXTENSION;

	PhysicalUpload(duckdb::PhysicalPlan &physical_plan, RemoteCatalog &catalog, uint32_t number,
	               duckdb::vector<duckdb::LogicalType> types, duckdb::idx_t estimated_cardinality);

	duckdb::string GetName() const override;
	duckdb::unique_ptr<duckdb::GlobalSinkState> GetGlobalSinkState(duckdb::ClientContext &context) const override;
	duckdb::SinkResultType Sink(duckdb::ExecutionContext &context, duckdb::DataChunk &chunk,
	                            duckdb::OperatorSinkInput &input) const override;
	duckdb::SinkFinalizeType Finalize(duckdb::Pipeline &pipeline, duckdb::Event &event, duckdb::ClientContext &context,
	                                  duckdb::OperatorSinkFinalizeInput &input) const override;
	bool IsSink() const override {
		return true;
	}
	bool SinkOrderDependent() const override {
		return true;
	}

private:
	RemoteCatalog &catalog;
	const uint32_t number;
};

//! Source without rows: sends a definition
class PhysicalRemoteDefinition : public duckdb::PhysicalOperator {
public:
	static constexpr const duckdb::PhysicalOperatorType TYPE = duckdb::PhysicalOperatorType::EXTENSION;

	PhysicalRemoteDefinition(duckdb::PhysicalPlan &physical_plan, RemoteCatalog &catalog,
	                         std::vector<std::string> definitions, duckdb::vector<duckdb::LogicalType> types);

	duckdb::string GetName() const override;
	bool IsSource() const override {
		return true;
	}

protected:
	duckdb::SourceResultType GetDataInternal(duckdb::ExecutionContext &context, duckdb::DataChunk &chunk,
	                                         duckdb::OperatorSourceInput &input) const override;

private:
	RemoteCatalog &catalog;
	const std::vector<std::string> definitions;
};

} // namespace duckherder

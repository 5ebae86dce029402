#include "client/remote_operators.hpp"

#include "client/remote_transaction.hpp"
#include "client/run_remote.hpp"

#include "duckdb/parallel/meta_pipeline.hpp"
#include "duckdb/parallel/pipeline.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

class RemoteSourceState : public GlobalSourceState {
public:
	RemoteSourceState(RemoteCatalog &catalog, ClientContext &context, const std::shared_ptr<ChunkSource> &source)
	    : rows(catalog.Server(), context, RemoteTransaction::Get(context, catalog).Session(), source) {
	}
	idx_t MaxThreads() override {
		return rows.MaxReaders();
	}

	RemoteServer::Rows rows;
};

class RemoteReaderState : public LocalSourceState {
public:
	explicit RemoteReaderState(RemoteServer::Rows &rows) : reader(rows.OpenReader()) {
	}

	const std::unique_ptr<ChunkReader> reader;
};

class UploadState : public GlobalSinkState {
public:
	std::unique_ptr<ChunkSink> sink;
};

} // namespace

PhysicalRemotePlan::PhysicalRemotePlan(PhysicalPlan &physical_plan, RemoteCatalog &catalog_p,
                                       shared_ptr<LogicalOperator> plan_p, std::shared_ptr<RemoteSnapshot> snapshot_p,
                                       vector<LogicalType> types_p, RemoteRun run_p, bool changes_catalog_p,
                                       idx_t estimated_cardinality_p)
    : PhysicalOperator(physical_plan, TYPE, std::move(types_p), estimated_cardinality_p), catalog(catalog_p),
      plan(std::move(plan_p)), snapshot(std::move(snapshot_p)), run(run_p), changes_catalog(changes_catalog_p) {
}

string PhysicalRemotePlan::GetName() const {
	return "DUCKHERDER_REMOTE";
}

InsertionOrderPreservingMap<string> PhysicalRemotePlan::ParamsToString() const {
	InsertionOrderPreservingMap<string> result;
	result["Driver"] = catalog.Server().location;
	result["Plan"] = plan->ToString();
	return result;
}

unique_ptr<GlobalSourceState> PhysicalRemotePlan::GetGlobalSourceState(ClientContext &context) const {
	// now, as parameters of a prepared statement have their values
	auto source = RunRemotePlan(context, catalog, EncodeForDriver(context, *plan), types, run);
	if (changes_catalog) {
		RemoteTransaction::Get(context, catalog).ForgetSnapshot();
	}
	return make_uniq<RemoteSourceState>(catalog, context, source);
}

unique_ptr<LocalSourceState> PhysicalRemotePlan::GetLocalSourceState(ExecutionContext &,
                                                                     GlobalSourceState &global_state) const {
	return make_uniq<RemoteReaderState>(global_state.Cast<RemoteSourceState>().rows);
}

bool PhysicalRemotePlan::SupportsPartitioning(const OperatorPartitionInfo &partition_info) const {
	return !partition_info.RequiresPartitionColumns();
}

OperatorPartitionData PhysicalRemotePlan::GetPartitionData(ExecutionContext &, DataChunk &, GlobalSourceState &,
                                                           LocalSourceState &local_state,
                                                           const OperatorPartitionInfo &) const {
	return OperatorPartitionData(local_state.Cast<RemoteReaderState>().reader->BatchIndex());
}

SourceResultType PhysicalRemotePlan::GetDataInternal(ExecutionContext &, DataChunk &chunk,
                                                     OperatorSourceInput &input) const {
	auto &reader = *input.local_state.Cast<RemoteReaderState>().reader;
	// in between DuckDB looks for interrupts and moves the progress bar
	auto again = [interrupt_state = input.interrupt_state] { interrupt_state.Callback(); };
	if (!reader.TryNext(chunk, again)) {
		return SourceResultType::BLOCKED;
	}
	return chunk.size() == 0 ? SourceResultType::FINISHED : SourceResultType::HAVE_MORE_OUTPUT;
}

ProgressData PhysicalRemotePlan::GetProgress(ClientContext &, GlobalSourceState &source_state) const {
	ProgressData progress;
	progress.done = source_state.Cast<RemoteSourceState>().rows.Progress();
	progress.total = 100;
	// as much as DuckDB takes a scan for
	progress.Normalize(1e3);
	return progress;
}

void PhysicalRemotePlan::BuildPipelines(Pipeline &current, MetaPipeline &meta_pipeline) {
	op_state.reset();
	meta_pipeline.GetState().SetPipelineSource(current, *this);
	for (auto &child : children) {
		auto &upload = child.get();
		upload.sink_state.reset();
		meta_pipeline.CreateChildMetaPipeline(current, upload).Build(upload.children[0]);
	}
}

vector<const_reference<PhysicalOperator>> PhysicalRemotePlan::GetSources() const {
	return {*this};
}

PhysicalUpload::PhysicalUpload(PhysicalPlan &physical_plan, RemoteCatalog &catalog_p, uint32_t number_p,
                               vector<LogicalType> types_p, idx_t estimated_cardinality_p)
    : PhysicalOperator(physical_plan, TYPE, std::move(types_p), estimated_cardinality_p), catalog(catalog_p),
      number(number_p) {
}

string PhysicalUpload::GetName() const {
	return "DUCKHERDER_UPLOAD";
}

unique_ptr<GlobalSinkState> PhysicalUpload::GetGlobalSinkState(ClientContext &context) const {
	auto state = make_uniq<UploadState>();
	auto &session = RemoteTransaction::Get(context, catalog).Session();
	state->sink = catalog.Server().service->OpenUpload(session, number, types);
	return state;
}

SinkResultType PhysicalUpload::Sink(ExecutionContext &, DataChunk &chunk, OperatorSinkInput &input) const {
	input.global_state.Cast<UploadState>().sink->Append(chunk);
	return SinkResultType::NEED_MORE_INPUT;
}

SinkFinalizeType PhysicalUpload::Finalize(Pipeline &, Event &, ClientContext &,
                                          OperatorSinkFinalizeInput &input) const {
	auto &state = input.global_state.Cast<UploadState>();
	state.sink->Finish();
	state.sink.reset();
	return SinkFinalizeType::READY;
}

PhysicalRemoteDefinition::PhysicalRemoteDefinition(PhysicalPlan &physical_plan, RemoteCatalog &catalog_p,
                                                   std::vector<std::string> definitions_p, vector<LogicalType> types_p)
    : PhysicalOperator(physical_plan, TYPE, std::move(types_p), 0), catalog(catalog_p),
      definitions(std::move(definitions_p)) {
}

string PhysicalRemoteDefinition::GetName() const {
	return "DUCKHERDER_REMOTE_DEFINITION";
}

SourceResultType PhysicalRemoteDefinition::GetDataInternal(ExecutionContext &context, DataChunk &,
                                                           OperatorSourceInput &) const {
	for (auto &definition : definitions) {
		RunRemoteDefinition(context.client, catalog, definition);
	}
	RemoteTransaction::Get(context.client, catalog).ForgetSnapshot();
	return SourceResultType::FINISHED;
}

} // namespace duckherder

#pragma once

#include "engine/exchange_scan.hpp"
#include "engine/fragment.hpp"
#include "exchange/exchange_scan_function.hpp"
#include "worker/worker_database.hpp"
#include "worker/worker_node.hpp"

#include "duckdb/main/connection.hpp"
#include "duckdb/optimizer/optimizer_extension.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace duckherder {

using Rows = std::vector<std::string>;

inline std::string RowText(duckdb::DataChunk &chunk, duckdb::idx_t row) {
	std::string text;
	for (duckdb::idx_t column = 0; column < chunk.ColumnCount(); column++) {
		text += (column ? "|" : "") + chunk.GetValue(column, row).ToString();
	}
	return text;
}

inline Rows ReadAll(ChunkSource &source) {
	Rows rows;
	auto reader = source.OpenReader();
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), source.Types());
	while (true) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			return rows;
		}
		for (duckdb::idx_t i = 0; i < chunk.size(); i++) {
			rows.push_back(RowText(chunk, i));
		}
	}
}

inline Rows Sorted(Rows rows) {
	std::sort(rows.begin(), rows.end());
	return rows;
}

inline std::shared_ptr<const StageInputs> Inputs(StageInputs inputs) {
	return std::make_shared<const StageInputs>(std::move(inputs));
}

inline void Append(Rows &rows, const Rows &more) {
	rows.insert(rows.end(), more.begin(), more.end());
}

//! Parts of a query's optimized plan
struct Fragments {
	std::shared_ptr<const std::string> whole;
	//! Each scan by itself, and the plan with exchange scans of stages 0, 1, ... in their places
	std::vector<std::shared_ptr<const std::string>> scans;
	std::vector<uint64_t> table_indexes;
	std::shared_ptr<const std::string> above_scans;
};

//! A session whose optimized plans are caught in the optimizer hook, as in the extension.
class Session {
public:
	Session() : db(nullptr), connection(db) {
		auto &config = duckdb::DBConfig::GetConfig(*db.instance);
		RegisterExchangeScanOperator(config);
		RegisterExchangeScanFunction(*db.instance);
		duckdb::OptimizerExtension hook;
		hook.optimize_function = [](duckdb::OptimizerExtensionInput &input,
		                            duckdb::unique_ptr<duckdb::LogicalOperator> &plan) {
			if (Catcher()) {
				Catcher()(input.context, plan);
				throw duckdb::InvalidInputException("caught");
			}
		};
		duckdb::OptimizerExtension::Register(config, hook);
		Run("SET disabled_optimizers = 'late_materialization'");
	}

	duckdb::unique_ptr<duckdb::MaterializedQueryResult> Run(const std::string &sql) {
		auto result = connection.Query(sql);
		EXPECT_FALSE(result->HasError()) << sql << ": " << result->GetError();
		return result;
	}

	Rows Query(const std::string &sql) {
		Rows rows;
		auto result = Run(sql);
		while (auto chunk = result->Fetch()) {
			for (duckdb::idx_t i = 0; i < chunk->size(); i++) {
				rows.push_back(RowText(*chunk, i));
			}
		}
		return rows;
	}

	Fragments Catch(const std::string &sql) {
		Fragments result;
		Catcher() = [&](duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::LogicalOperator> &plan) {
			result.whole = Encode(context, *plan);
			CutScans(context, plan, result);
			result.above_scans = Encode(context, *plan);
		};
		auto query = connection.Query(sql);
		Catcher() = nullptr;
		EXPECT_TRUE(result.above_scans) << sql << ": " << query->GetError();
		return result;
	}

	duckdb::DuckDB db;
	duckdb::Connection connection;

private:
	using CatchFunction = std::function<void(duckdb::ClientContext &, duckdb::unique_ptr<duckdb::LogicalOperator> &)>;

	static CatchFunction &Catcher() {
		static CatchFunction catcher;
		return catcher;
	}

	static std::shared_ptr<const std::string> Encode(duckdb::ClientContext &context,
	                                                 const duckdb::LogicalOperator &plan) {
		return std::make_shared<const std::string>(EncodeFragment(context, plan));
	}

	static void CutScans(duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::LogicalOperator> &op,
	                     Fragments &result) {
		for (auto &child : op->children) {
			CutScans(context, child, result);
		}
		if (op->type != duckdb::LogicalOperatorType::LOGICAL_GET) {
			return;
		}
		op->ResolveOperatorTypes();
		auto scan = duckdb::make_uniq<LogicalExchangeScan>();
		scan->source.stage = static_cast<StageId>(result.scans.size());
		scan->bindings = op->GetColumnBindings();
		scan->return_types = op->types;
		scan->SetEstimatedCardinality(op->estimated_cardinality);
		result.scans.push_back(Encode(context, *op));
		result.table_indexes.push_back(op->Cast<duckdb::LogicalGet>().table_index);
		op = std::move(scan);
	}
};

//! Reaches worker nodes of this process by their ids. A node that was removed is a dead machine.
class NodeMap : public WorkerConnector {
public:
	std::shared_ptr<WorkerService> Connect(const WorkerAddress &address) override {
		auto node = nodes.find(address.id);
		if (node == nodes.end()) {
			throw duckdb::IOException("Worker %s cannot be reached", address.id);
		}
		return node->second;
	}
	void GiveUp(const QueryId &, const std::string &location) override {
		given_up.push_back(location);
	}
	std::map<WorkerId, std::shared_ptr<WorkerService>> nodes;
	std::vector<std::string> given_up;
};

//! Some worker nodes that know each other
class Workers {
public:
	explicit Workers(uint32_t count, const WorkerDatabaseOptions &options = DefaultOptions())
	    : connector(std::make_shared<NodeMap>()) {
		for (uint32_t i = 0; i < count; i++) {
			auto id = "w" + std::to_string(i);
			databases.push_back(OpenWorkerDatabase(options));
			nodes.push_back(std::make_shared<WorkerNode>(WorkerAddress {id, "inproc"}, databases.back(), connector));
			connector->nodes[id] = nodes.back();
		}
	}
	~Workers() {
		// the nodes know the connector and it knows them
		connector->nodes.clear();
	}

	static WorkerDatabaseOptions DefaultOptions() {
		WorkerDatabaseOptions options;
		options.threads = 2;
		return options;
	}

	//! Runs a task on a worker; the output's location, for the inputs of another
	OutputLocation Run(uint32_t worker, const TaskRequest &request) {
		auto result = nodes[worker]->RunTask(request, nullptr);
		EXPECT_FALSE(result.failed) << result.error.exception_type << ": " << result.error.message;
		last = result;
		return {request.task_id, request.attempt, {"w" + std::to_string(worker), "inproc"}, nullptr};
	}

	Rows Read(const OutputLocation &location, const TaskRequest &request, uint32_t partition,
	          const duckdb::vector<duckdb::LogicalType> &types) {
		FetchRequest fetch;
		fetch.query_id = request.query_id;
		fetch.stage_id = request.stage_id;
		fetch.task_id = request.task_id;
		fetch.attempt = request.attempt;
		fetch.partition = partition;
		fetch.worker_id = location.worker.id;
		return ReadAll(*connector->Connect(location.worker)->Fetch(fetch, types));
	}

	std::shared_ptr<NodeMap> connector;
	std::vector<std::shared_ptr<duckdb::DuckDB>> databases;
	std::vector<std::shared_ptr<WorkerNode>> nodes;
	TaskResult last;
};

inline TaskRequest MakeRequest(std::shared_ptr<const std::string> fragment, StageId stage = 0, TaskId task = 0) {
	TaskRequest request;
	request.query_id = "q1";
	request.stage_id = stage;
	request.task_id = task;
	request.fragment = std::move(fragment);
	return request;
}

//! A directory that is removed with its files
class TestDirectory {
public:
	TestDirectory() {
		auto name = (std::filesystem::temp_directory_path() / "duckherder-test-XXXXXX").string();
		path = mkdtemp(name.data());
	}
	~TestDirectory() {
		std::filesystem::remove_all(path);
	}
	std::string File(const std::string &name) const {
		return path + "/" + name;
	}
	std::string path;
};

} // namespace duckherder

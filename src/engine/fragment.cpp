#include "engine/fragment.hpp"

#include "compat/names.hpp"
#include "engine/bound_scan.hpp"
#include "wire/checked_deserializer.hpp"
#include "wire/serialized.hpp"

#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/planner/operator/logical_join.hpp"
#include "duckdb/storage/statistics/base_statistics.hpp"

#include <functional>

namespace duckherder {

using namespace duckdb;

namespace {

//! DuckDB's serialization of a plan leaves out what the optimizer found out about sizes and values, and without it the
//! physical planner chooses slower operators: no perfect hash joins and aggregates, no bloom filters. So a fragment is
//! the plan, and beside it a note for each operator, in the order in which a walk from the root meets them.
using OperatorList = vector<reference<LogicalOperator>>;

void ListOperators(LogicalOperator &op, OperatorList &result) {
	result.push_back(op);
	for (auto &child : op.children) {
		ListOperators(*child, result);
	}
}

optional_ptr<vector<unique_ptr<BaseStatistics>>> StatisticsOf(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
		return op.Cast<LogicalAggregate>().group_stats;
	case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
	case LogicalOperatorType::LOGICAL_DELIM_JOIN:
		return JoinStatistics(static_cast<LogicalJoin &>(op));
	default:
		return nullptr;
	}
}

void WriteStatistics(Serializer &serializer, const unique_ptr<BaseStatistics> &statistics) {
	serializer.WriteProperty(100, "known", bool(statistics));
	if (statistics) {
		serializer.WriteProperty(101, "type", statistics->GetType());
		serializer.WriteObject(102, "statistics", [&](Serializer &object) { statistics->Serialize(object); });
	}
}

unique_ptr<BaseStatistics> ReadStatistics(Deserializer &deserializer) {
	unique_ptr<BaseStatistics> result;
	if (!deserializer.ReadProperty<bool>(100, "known")) {
		return result;
	}
	auto type = deserializer.ReadProperty<LogicalType>(101, "type");
	deserializer.Set<const LogicalType &>(type);
	deserializer.ReadObject(102, "statistics",
	                        [&](Deserializer &object) { result = BaseStatistics::Deserialize(object).ToUnique(); });
	deserializer.Unset<LogicalType>();
	return result;
}

void WriteNote(Serializer &serializer, LogicalOperator &op) {
	serializer.WriteProperty(100, "operator", op.type);
	serializer.WriteProperty(101, "has_cardinality", op.has_estimated_cardinality);
	serializer.WriteProperty(102, "cardinality", op.has_estimated_cardinality ? op.estimated_cardinality : 0);
	auto statistics = StatisticsOf(op);
	serializer.WriteList(103, "statistics", statistics ? statistics->size() : 0, [&](Serializer::List &list, idx_t i) {
		list.WriteObject([&](Serializer &object) { WriteStatistics(object, (*statistics)[i]); });
	});
}

void ReadNote(Deserializer &deserializer, LogicalOperator &op) {
	auto type = deserializer.ReadProperty<LogicalOperatorType>(100, "operator");
	if (type != op.type) {
		throw SerializationException("A fragment's plan and its notes do not fit together");
	}
	auto has_cardinality = deserializer.ReadProperty<bool>(101, "has_cardinality");
	auto cardinality = deserializer.ReadProperty<idx_t>(102, "cardinality");
	if (has_cardinality) {
		op.SetEstimatedCardinality(cardinality);
	}
	vector<unique_ptr<BaseStatistics>> statistics;
	deserializer.ReadList(103, "statistics", [&](Deserializer::List &list, idx_t) {
		list.ReadObject([&](Deserializer &object) { statistics.push_back(ReadStatistics(object)); });
	});
	if (auto target = StatisticsOf(op)) {
		*target = std::move(statistics);
	}
}

} // namespace

idx_t LargestTableIndex(LogicalOperator &op) {
	idx_t result = 0;
	for (auto index : op.GetTableIndex()) {
		result = MaxValue(result, IndexOf(index));
	}
	for (auto &child : op.children) {
		result = MaxValue(result, LargestTableIndex(*child));
	}
	return result;
}

std::string EncodeFragment(ClientContext &, const LogicalOperator &plan) {
	OperatorList operators;
	// only read, but DuckDB casts operators through non-const references
	ListOperators(const_cast<LogicalOperator &>(plan), operators);

	SerializeBoundScans bound_scans(operators);
	return Serialized([&](Serializer &serializer) {
		serializer.WriteObject(100, "plan", [&](Serializer &object) { plan.Serialize(object); });
		serializer.WriteList(101, "notes", operators.size(), [&](Serializer::List &list, idx_t i) {
			list.WriteObject([&](Serializer &object) { WriteNote(object, operators[i]); });
		});
	});
}

namespace {

using FunctionCheck = std::function<void(const std::string &name, bool bound)>;

unique_ptr<LogicalOperator> DecodeUnnamed(ClientContext &context, const std::string &bytes, FunctionCheck check) {
	bound_parameter_map_t parameters;
	unique_ptr<LogicalOperator> plan;
	OperatorList operators;

	CheckedDeserializer deserializer(bytes, CheckedDeserializer::Types::ALL);
	deserializer.CheckFunctions(std::move(check));
	deserializer.Set<ClientContext &>(context);
	deserializer.Set<bound_parameter_map_t &>(parameters);
	deserializer.Begin();
	deserializer.ReadObject(100, "plan", [&](Deserializer &object) { plan = LogicalOperator::Deserialize(object); });
	if (!plan) {
		throw SerializationException("A fragment without a plan");
	}
	ListOperators(*plan, operators);
	deserializer.ReadList(101, "notes", [&](Deserializer::List &list, idx_t i) {
		if (i >= operators.size()) {
			throw SerializationException("A fragment with more notes than operators");
		}
		list.ReadObject([&](Deserializer &object) { ReadNote(object, operators[i]); });
	});
	deserializer.End();
	plan->ResolveOperatorTypes();
	return plan;
}

[[noreturn]] void ThrowNoFragment(const std::string &bytes, const std::string &reason) {
	throw SerializationException("these %llu bytes are no fragment: %s", idx_t(bytes.size()), reason);
}

} // namespace

unique_ptr<LogicalOperator> DecodeFragment(ClientContext &context, const std::string &bytes, FunctionCheck check) {
	try {
		return DecodeUnnamed(context, bytes, std::move(check));
	} catch (const Exception &error) {
		ErrorData data(error);
		// what DuckDB did not expect in a plan says nothing about this database, which would not be used again
		if (data.Type() == ExceptionType::INTERNAL || data.Type() == ExceptionType::FATAL) {
			ThrowNoFragment(bytes, data.RawMessage());
		}
		throw;
	} catch (const std::exception &error) {
		ThrowNoFragment(bytes, error.what());
	}
}

} // namespace duckherder

#include "client/ship_rows.hpp"

#include "client/remote_place.hpp"
#include "common/limits.hpp"

#include "duckdb/planner/operator/logical_get.hpp"

#include <algorithm>
#include <set>

namespace duckherder {

using namespace duckdb;

namespace {

//! A string of which nothing is known
constexpr double STRING_BYTES = 32;

//! What one part defines another may refer to; nothing of that is taken apart
bool HasReferences(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_MATERIALIZED_CTE:
	case LogicalOperatorType::LOGICAL_RECURSIVE_CTE:
	case LogicalOperatorType::LOGICAL_CTE_REF:
	case LogicalOperatorType::LOGICAL_DELIM_JOIN:
	case LogicalOperatorType::LOGICAL_DELIM_GET:
		return true;
	default:
		return std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return HasReferences(*child); });
	}
}

void FindDrivers(ClientContext &context, LogicalOperator &op, std::set<RemoteCatalog *> &result) {
	auto place = SiteOfOperator(context, op);
	if (place.AtDriver()) {
		result.insert(place.catalog.get());
	}
	for (auto &child : op.children) {
		FindDrivers(context, *child, result);
	}
}

//! A file or function of unknown size may be larger than any estimate
bool SaysItsSize(LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_GET && !op.Cast<LogicalGet>().function.cardinality) {
		return false;
	}
	return std::all_of(op.children.begin(), op.children.end(), [](auto &child) { return SaysItsSize(*child); });
}

} // namespace

struct ShippingCosts::Shipment {
	bool possible = true;
	idx_t parts = 0;
	double sent = 0;
	//! From other drivers, for what is sent
	double fetched = 0;
	//! That run there
	std::set<string> functions;
};

ShippingCosts::ShippingCosts(ClientContext &context_p) : context(context_p) {
}

optional_ptr<RemoteCatalog> ShippingCosts::WhereToShip(LogicalOperator &op) {
	return Best(op).driver;
}

const ShippingCosts::Choice &ShippingCosts::Best(LogicalOperator &op) {
	auto known = choices.find(&op);
	if (known == choices.end()) {
		known = choices.emplace(&op, Choose(op)).first;
	}
	return known->second;
}

ShippingCosts::Choice ShippingCosts::Choose(LogicalOperator &op) {
	Choice best;
	if (SiteOfPlan(context, op).AtDriver()) {
		best.bytes = Bytes(op);
		return best;
	}
	for (auto &child : op.children) {
		best.bytes += Best(*child).bytes;
	}
	if (best.bytes == 0 || SiteOfOperator(context, op).local || HasReferences(op)) {
		return best;
	}
	std::set<RemoteCatalog *> drivers;
	FindDrivers(context, op, drivers);
	for (auto *driver : drivers) {
		Shipment shipment;
		Ship(op, *driver, shipment);
		auto moved = shipment.fetched + shipment.sent + Bytes(op);
		auto has_functions = std::all_of(shipment.functions.begin(), shipment.functions.end(),
		                                 [&](const string &name) { return driver->Server().HasFunction(name); });
		if (shipment.possible && has_functions && shipment.parts <= limits::UPLOADS_MAX &&
		    shipment.sent <= double(limits::SHIPPED_BYTES_MAX) && moved < best.bytes) {
			best.bytes = moved;
			best.driver = driver;
		}
	}
	return best;
}

void ShippingCosts::Ship(LogicalOperator &op, RemoteCatalog &driver, Shipment &result) {
	auto place = SiteOfOperator(context, op);
	result.functions.insert(place.functions.begin(), place.functions.end());
	for (auto &child : op.children) {
		auto below = SiteOfOperator(context, *child);
		auto fits = !below.local && (!below.catalog || below.catalog.get() == &driver);
		if (fits && (Touches(context, *child, driver) || !SiteOfPlan(context, *child).local)) {
			Ship(*child, driver, result);
			continue;
		}
		result.possible = result.possible && SaysItsSize(*child);
		result.parts++;
		result.fetched += Best(*child).bytes;
		result.sent += Bytes(*child);
	}
}

double ShippingCosts::Bytes(LogicalOperator &op) {
	op.ResolveOperatorTypes();
	double width = 0;
	for (auto &type : op.types) {
		auto physical = type.InternalType();
		width += TypeIsConstantSize(physical) ? double(GetTypeIdSize(physical)) : STRING_BYTES;
	}
	return double(op.EstimateCardinality(context)) * width;
}

} // namespace duckherder

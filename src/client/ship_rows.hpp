#pragma once

#include "client/remote_catalog.hpp"

#include "duckdb/planner/logical_operator.hpp"

#include <unordered_map>

namespace duckherder {

//! Where the parts of a query that mixes rows of this session with those of drivers should run. Chosen by the
//! optimizer's estimates of the bytes that travel; at most limits::SHIPPED_BYTES_MAX are sent, and only of what says
//! how large it is. Remembers what it has found out about operators, which must not change meanwhile.
class ShippingCosts {
public:
	explicit ShippingCosts(duckdb::ClientContext &context);

	//! The driver that `op`, which is optimized and no write, is to be sent to, with the rows from here that it needs;
	//! null if it should not.
	duckdb::optional_ptr<RemoteCatalog> WhereToShip(duckdb::LogicalOperator &op);

private:
	struct Choice {
		//! That travel until the rows of the operator are here
		double bytes = 0;
		duckdb::optional_ptr<RemoteCatalog> driver;
	};
	struct Shipment;

	const Choice &Best(duckdb::LogicalOperator &op);
	Choice Choose(duckdb::LogicalOperator &op);
	void Ship(duckdb::LogicalOperator &op, RemoteCatalog &driver, Shipment &result);
	double Bytes(duckdb::LogicalOperator &op);

	duckdb::ClientContext &context;
	std::unordered_map<const duckdb::LogicalOperator *, Choice> choices;
};

} // namespace duckherder

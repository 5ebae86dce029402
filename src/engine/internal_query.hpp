#pragma once

namespace duckherder {

//! While one lives, queries planned on this thread are our own questions to DuckDB and stay local.
class InternalQuery {
public:
	InternalQuery() {
		Depth()++;
	}
	~InternalQuery() {
		Depth()--;
	}
	InternalQuery(const InternalQuery &) = delete;
	InternalQuery &operator=(const InternalQuery &) = delete;

	static bool Active() {
		return Depth() > 0;
	}

private:
	static int &Depth() {
		thread_local int depth = 0;
		return depth;
	}
};

} // namespace duckherder

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! Writes metrics in the text format 0.0.4 of Prometheus
//! (prometheus.io/docs/instrumenting/exposition_formats). Names and labels are literals of ours, values of labels
//! may be anything.
class MetricsText {
public:
	using Labels = std::vector<std::pair<const char *, std::string>>;

	//! What the next samples belong to; `type` is counter, gauge or histogram
	void Family(const char *name, const char *type, const char *help);
	void Sample(double value, const Labels &labels = Labels());
	void Sample(uint64_t value, const Labels &labels = Labels());
	//! Of a histogram: the name of the family with `suffix` behind it
	void SuffixedSample(const char *suffix, double value, const Labels &labels);
	//! CPU time, memory, open files and start of this process, by the names that all Prometheus clients use
	void Process();

	const std::string &Text() const {
		return text;
	}

private:
	std::string text;
	std::string family;
};

} // namespace duckherder

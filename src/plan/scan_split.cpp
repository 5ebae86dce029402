#include "plan/scan_split.hpp"

namespace duckherder {

namespace {

struct KindNames {
	const char *name = "UNKNOWN";
	const char *trace = "unknown";
};

template <class... PARTS>
KindNames NamesOf(SplitKind kind, const std::variant<PARTS...> *) {
	KindNames result;
	((PARTS::KIND == kind ? void(result = {PARTS::NAME, PARTS::TRACE_NAME}) : void()), ...);
	return result;
}

KindNames NamesOf(SplitKind kind) {
	return NamesOf(kind, static_cast<const SplitPart *>(nullptr));
}

} // namespace

const char *SplitKindName(SplitKind kind) {
	return NamesOf(kind).name;
}

const char *SplitTraceName(SplitKind kind) {
	return NamesOf(kind).trace;
}

SplitKind ScanSplit::Kind() const {
	return std::visit([](auto &known) { return known.KIND; }, part);
}

std::span<const ScanFile> ScanSplit::Files() const {
	return std::visit(
	    [](auto &known) {
		    if constexpr (requires { known.Files(); }) {
			    return known.Files();
		    } else {
			    return std::span<const ScanFile>();
		    }
	    },
	    part);
}

std::vector<std::reference_wrapper<const ScanFile>> ScanSplit::AllFiles() const {
	auto files = Files();
	std::vector<std::reference_wrapper<const ScanFile>> result(files.begin(), files.end());
	for (auto &other : aligned) {
		auto of_other = other.part.Files();
		result.insert(result.end(), of_other.begin(), of_other.end());
	}
	return result;
}

RowRange ScanSplit::Rows() const {
	return std::visit(
	    [](auto &known) {
		    if constexpr (requires { known.rows; }) {
			    return known.rows;
		    } else {
			    return RowRange();
		    }
	    },
	    part);
}

PartitionSplit ScanSplit::Partitions() const {
	auto partitions = std::get_if<PartitionSplit>(&part);
	return partitions ? *partitions : PartitionSplit();
}

} // namespace duckherder

#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "engine/key_sample.hpp"

#include <algorithm>

namespace duckherder::fuzz {

namespace {

//! Everything that a session does with one
void DecodeAndChoose(const std::string &bytes) {
	auto sample = KeySample::Decode(bytes);
	Expect(KeySample::Decode(sample.Encode()).KeyCount() == sample.KeyCount(),
	       "a sample is another one after a round of encoding");
	for (uint32_t partitions : {1U, 2U, 100U}) {
		auto bounds = ChooseBounds({sample, sample}, partitions);
		Expect(bounds.size() < partitions, "there are too many bounds");
		Expect(std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end(),
		       "bounds do not rise");
	}
}

std::string Sample(std::vector<KeySample::Part> parts) {
	KeySample sample;
	sample.parts = std::move(parts);
	return sample.Encode();
}

} // namespace

std::vector<std::string> Samples() {
	return {Sample({}), Sample({{7, {"a", "b", ""}}, {1ULL << 60, {std::string("\0\xFF", 2)}}}), Sample({{0, {}}})};
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	Decode([&] { DecodeAndChoose(Text(data, size)); });
	return 0;
}

#include "engine/key_sample.hpp"

#include "wire/checked_deserializer.hpp"
#include "wire/serialized.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace duckherder {

using namespace duckdb;

namespace {

constexpr field_id_t KIND_FIELD = 1;
constexpr uint8_t KIND = 0x53;

//! A key, and how many rows it stands for
struct WeightedKey {
	const std::string *key;
	double rows;
};

} // namespace

void KeySample::Add(Part part) {
	if (part.keys.empty()) {
		return;
	}
	parts.push_back(std::move(part));
	while (KeyCount() > KEYS_MAX) {
		// any place of a reservoir is as good as another, so half of them are a sample, too
		for (auto &one : parts) {
			one.keys.resize((one.keys.size() + 1) / 2);
		}
		if (parts.size() >= KEYS_MAX) {
			return;
		}
	}
}

size_t KeySample::KeyCount() const {
	size_t result = 0;
	for (auto &part : parts) {
		result += part.keys.size();
	}
	return result;
}

std::string KeySample::Encode() const {
	return Serialized([&](Serializer &serializer) {
		serializer.WriteProperty(KIND_FIELD, "kind", KIND);
		serializer.WriteList(10, "parts", parts.size(), [&](Serializer::List &list, idx_t i) {
			list.WriteObject([&](Serializer &object) {
				object.WriteProperty(10, "rows", parts[i].rows);
				object.WriteList(11, "keys", parts[i].keys.size(),
				                 [&](Serializer::List &keys, idx_t key) { keys.WriteElement(parts[i].keys[key]); });
			});
		});
	});
}

KeySample KeySample::Decode(const std::string &bytes) {
	KeySample result;
	try {
		CheckedDeserializer deserializer(bytes, CheckedDeserializer::Types::COLUMNS);
		deserializer.Begin();
		if (deserializer.ReadProperty<uint8_t>(KIND_FIELD, "kind") != KIND) {
			throw SerializationException("they are of another kind");
		}
		deserializer.ReadList(10, "parts", [&](Deserializer::List &list, idx_t) {
			Part part;
			list.ReadObject([&](Deserializer &object) {
				object.ReadProperty(10, "rows", part.rows);
				object.ReadList(11, "keys", [&](Deserializer::List &keys, idx_t) {
					part.keys.push_back(keys.ReadElement<string>());
				});
			});
			result.parts.push_back(std::move(part));
		});
		deserializer.End();
	} catch (const std::exception &error) {
		throw SerializationException("these %llu bytes are no sample of keys: %s", idx_t(bytes.size()),
		                             ErrorData(error).RawMessage());
	}
	return result;
}

KeySampler::KeySampler(std::vector<uint32_t> columns, const std::vector<KeyOrder> &orders)
    : sort_keys(std::move(columns), orders) {
}

double KeySampler::Random() {
	// its logarithm is finite
	return std::max(random.NextRandom(), std::numeric_limits<double>::min());
}

void KeySampler::LeaveOut() {
	weight *= std::exp(std::log(Random()) / static_cast<double>(KeySample::WRITER_KEYS_MAX));
	next_row += 1 + static_cast<uint64_t>(std::log(Random()) / std::log1p(-weight));
}

void KeySampler::Add(DataChunk &rows) {
	auto end = part.rows + rows.size();
	if (next_row >= end) {
		part.rows = end;
		return;
	}
	SelectionVector picked(rows.size());
	vector<idx_t> places;
	while (next_row < end) {
		picked.set_index(places.size(), next_row - part.rows);
		if (next_row < KeySample::WRITER_KEYS_MAX) {
			places.push_back(next_row++);
			if (next_row == KeySample::WRITER_KEYS_MAX) {
				next_row--;
				LeaveOut();
			}
		} else {
			places.push_back(random.NextRandomInteger() % KeySample::WRITER_KEYS_MAX);
			LeaveOut();
		}
	}
	part.rows = end;
	UnifiedVectorFormat format;
	auto &keys = sort_keys.Of(rows, picked, places.size());
	keys.ToUnifiedFormat(places.size(), format);
	auto strings = UnifiedVectorFormat::GetData<string_t>(format);
	for (idx_t i = 0; i < places.size(); i++) {
		auto &key = strings[format.sel->get_index(i)];
		part.keys.resize(MaxValue<size_t>(part.keys.size(), places[i] + 1));
		part.keys[places[i]].assign(key.GetData(), MinValue<size_t>(key.GetSize(), KeySample::KEY_BYTES_MAX));
	}
}

std::vector<std::string> ChooseBounds(const std::vector<KeySample> &samples, uint32_t partitions) {
	if (partitions == 0) {
		throw InternalException("Bounds of no partitions");
	}
	std::vector<WeightedKey> keys;
	double rows = 0;
	for (auto &sample : samples) {
		for (auto &part : sample.parts) {
			for (auto &key : part.keys) {
				keys.push_back({&key, static_cast<double>(part.rows) / static_cast<double>(part.keys.size())});
				rows += keys.back().rows;
			}
		}
	}
	std::sort(keys.begin(), keys.end(),
	          [](const WeightedKey &left, const WeightedKey &right) { return *left.key < *right.key; });
	std::vector<std::string> bounds;
	double before = 0;
	uint32_t next = 1;
	for (auto &key : keys) {
		// the first key that has so many rows before it
		auto reached = next < partitions && before >= rows * next / partitions;
		if (reached && (bounds.empty() || bounds.back() < *key.key)) {
			bounds.push_back(*key.key);
		}
		while (next < partitions && before >= rows * next / partitions) {
			next++;
		}
		before += key.rows;
	}
	return bounds;
}

} // namespace duckherder

#include "exchange/partition_appender.hpp"

#include "compat/vectors.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Rows that may wait for a partition. From half of it on, rows go to the lane at once: less copying.
constexpr idx_t WAITING_ROWS = 128;

//! How often a writer looks at what the database has spilled
constexpr idx_t CHUNKS_PER_SAMPLE = 64;

//! Uncompressed bytes of all values of a vector, nested ones included
uint64_t ValueBytes(Vector &vector, idx_t count) {
	auto type = vector.GetType().InternalType();
	switch (type) {
	case PhysicalType::VARCHAR: {
		UnifiedVectorFormat format;
		vector.ToUnifiedFormat(count, format);
		auto strings = UnifiedVectorFormat::GetData<string_t>(format);
		uint64_t total = count * sizeof(string_t);
		for (idx_t i = 0; i < count; i++) {
			auto index = format.sel->get_index(i);
			if (format.validity.RowIsValid(index) && !strings[index].IsInlined()) {
				total += strings[index].GetSize();
			}
		}
		return total;
	}
	case PhysicalType::LIST: {
		vector.Flatten(count);
		return count * sizeof(list_entry_t) +
		       ValueBytes(ListVector::GetChildMutable(vector), ListVector::GetListSize(vector));
	}
	case PhysicalType::ARRAY: {
		vector.Flatten(count);
		return ValueBytes(ArrayVector::GetChildMutable(vector), count * ArrayType::GetSize(vector.GetType()));
	}
	case PhysicalType::STRUCT: {
		vector.Flatten(count);
		uint64_t total = 0;
		for (auto &child : StructVector::GetEntries(vector)) {
			total += ValueBytes(ChildOf(child), count);
		}
		return total;
	}
	default:
		return count * GetTypeIdSize(type);
	}
}

void AddStringBytes(Vector &vector, idx_t count, const uint32_t *partitions, std::vector<uint64_t> &bytes) {
	UnifiedVectorFormat format;
	vector.ToUnifiedFormat(count, format);
	auto strings = UnifiedVectorFormat::GetData<string_t>(format);
	for (idx_t i = 0; i < count; i++) {
		auto index = format.sel->get_index(i);
		if (format.validity.RowIsValid(index) && !strings[index].IsInlined()) {
			bytes[partitions[i]] += strings[index].GetSize();
		}
	}
}

} // namespace

PartitionAppender::PartitionAppender(OutputBuffer &buffer_p, OutputLane &lane_p, const Exchange &exchange)
    : buffer(buffer_p), lane(lane_p), keeps_rows(exchange.kind != ExchangeKind::SAMPLE),
      sorted_rows(STANDARD_VECTOR_SIZE), partition_ends(buffer_p.PartitionCount(), 0),
      bytes(buffer_p.PartitionCount(), 0), collected_keys(exchange.collected_keys) {
	for (auto &keys : buffer.KeySets()) {
		key_sets.push_back(keys.EmptyCopy());
	}
	travelling.InitializeEmpty(buffer.Types());
	if (buffer.PartitionCount() > 1) {
		partitioner = std::make_unique<Partitioner>(exchange);
		slice.InitializeEmpty(buffer.Types());
		waiting.resize(buffer.PartitionCount());
	}
	if (exchange.SamplesKeys()) {
		sampler = std::make_unique<KeySampler>(exchange.key_columns, exchange.key_orders);
	}
}

void PartitionAppender::Append(DataChunk &rows, idx_t order) {
	if (rows.size() == 0) {
		return;
	}
	if (chunks++ % CHUNKS_PER_SAMPLE == 0) {
		buffer.SampleSpill();
	}
	if (sampler) {
		sampler->Add(rows);
	}
	if (!keeps_rows) {
		return;
	}
	for (idx_t i = 0; i < key_sets.size(); i++) {
		key_sets[i].Add(rows.data.at(collected_keys[i].column), rows.size());
	}
	if (order != current_order) {
		// what waits belongs to the rows before
		FlushBuffers();
		current_order = order;
	}
	for (idx_t i = 0; i < travelling.ColumnCount(); i++) {
		travelling.data[i].Reference(rows.data[i]);
	}
	travelling.SetChildCardinality(rows.size());
	if (!partitioner) {
		for (auto &column : travelling.data) {
			bytes[0] += ValueBytes(column, rows.size());
		}
		lane.Append(0, travelling, order);
		return;
	}
	auto partitions = partitioner->Partition(rows);
	CountBytes(travelling, partitions);
	AppendPartitions(travelling, partitions);
}

void PartitionAppender::CountBytes(DataChunk &rows, const uint32_t *partitions) {
	// exact for flat columns; nested ones are shared out evenly
	uint64_t row_bytes = 0;
	uint64_t nested_bytes = 0;
	for (auto &column : rows.data) {
		auto &type = column.GetType();
		if (type.IsNested()) {
			nested_bytes += ValueBytes(column, rows.size());
			continue;
		}
		row_bytes += GetTypeIdSize(type.InternalType());
		if (type.InternalType() == PhysicalType::VARCHAR) {
			AddStringBytes(column, rows.size(), partitions, bytes);
		}
	}
	row_bytes += nested_bytes / rows.size();
	for (idx_t i = 0; i < rows.size(); i++) {
		bytes[partitions[i]] += row_bytes;
	}
}

void PartitionAppender::AppendPartitions(DataChunk &rows, const uint32_t *partitions) {
	auto count = rows.size();
	std::fill(partition_ends.begin(), partition_ends.end(), 0);
	for (idx_t i = 0; i < count; i++) {
		partition_ends[partitions[i]]++;
	}
	if (partition_ends[partitions[0]] == count) {
		AppendToPartition(rows, partitions[0], *FlatVector::IncrementalSelectionVector(), count);
		return;
	}
	uint32_t begin = 0;
	for (auto &end : partition_ends) {
		auto length = end;
		end = begin;
		begin += length;
	}
	for (idx_t i = 0; i < count; i++) {
		sorted_rows.set_index(partition_ends[partitions[i]]++, i);
	}
	begin = 0;
	for (uint32_t partition = 0; partition < partition_ends.size(); partition++) {
		auto end = partition_ends[partition];
		if (end > begin) {
			auto selection = Selection(sorted_rows.data() + begin, end - begin);
			AppendToPartition(rows, partition, selection, end - begin);
			begin = end;
		}
	}
}

void PartitionAppender::AppendToPartition(DataChunk &rows, uint32_t partition, const SelectionVector &selection,
                                          idx_t count) {
	auto &buffered = waiting[partition];
	if (count >= WAITING_ROWS / 2) {
		if (buffered && buffered->size() > 0) {
			// the rows before go first
			lane.Append(partition, *buffered, current_order);
			buffered->Reset();
		}
		if (count == rows.size()) {
			lane.Append(partition, rows, current_order);
			return;
		}
		slice.Reset();
		slice.Slice(rows, selection, count);
		lane.Append(partition, slice, current_order);
		return;
	}
	if (!buffered) {
		buffered = make_uniq<DataChunk>();
		buffered->Initialize(BufferAllocator::Get(buffer.Database()), buffer.Types(), WAITING_ROWS);
	}
	AppendSelected(*buffered, rows, selection, count);
	if (buffered->size() >= WAITING_ROWS / 2) {
		lane.Append(partition, *buffered, current_order);
		buffered->Reset();
		SetCapacity(*buffered, WAITING_ROWS);
	}
}

void PartitionAppender::FlushBuffers() {
	for (uint32_t partition = 0; partition < waiting.size(); partition++) {
		auto &buffered = waiting[partition];
		if (buffered && buffered->size() > 0) {
			lane.Append(partition, *buffered, current_order);
			buffered->Reset();
			SetCapacity(*buffered, WAITING_ROWS);
		}
	}
}

void PartitionAppender::Finish() {
	FlushBuffers();
	waiting.clear();
	buffer.AddBytes(bytes);
	buffer.MergeKeys(key_sets);
	if (sampler) {
		buffer.AddSample(sampler->Finish());
	}
}

} // namespace duckherder

#include "exchange/output_buffer.hpp"

#include "common/limits.hpp"

#include "duckdb/common/types/column/column_data_allocator.hpp"
#include "duckdb/common/types/column/column_data_collection_segment.hpp"
#include "duckdb/storage/buffer_manager.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

//! What one reader takes at a time. Consumers that keep the order store each batch on its own, in blocks of 256 KB, so
//! that smaller ones would only cost memory.
constexpr idx_t UNIT_ROWS = limits::ROW_GROUP_ROWS;

//! The blocks that are being written, one of fixed sizes and one of strings for each partition, are kept in memory
//! between two appends if together they have at most this part of the memory limit.
constexpr idx_t PINNED_MEMORY_PARTS = 16;

//! A partition that has so many bytes in the blocks that partitions share has blocks of its own from then on.
constexpr idx_t SHARED_BLOCKS_BYTES_MAX = 256 << 10;

} // namespace

//===--------------------------------------------------------------------===//
// Writing
//===--------------------------------------------------------------------===//
OutputLane::OutputLane(OutputBuffer &buffer_p)
    : buffer(buffer_p),
      allocator(make_shared_ptr<ColumnDataAllocator>(BufferManager::GetBufferManager(buffer_p.Database()))),
      slots(new Slot[buffer_p.PartitionCount()]) {
	allocator->MakeShared();
	for (auto &type : buffer.Types()) {
		row_bytes += GetTypeIdSize(type.InternalType());
	}
	auto &manager = BufferManager::GetBufferManager(buffer.Database());
	pinned = 2 * buffer.PartitionCount() * manager.GetBlockSize() <= manager.GetMaxMemory() / PINNED_MEMORY_PARTS;
}

OutputLane::~OutputLane() {
}

void OutputLane::Append(uint32_t partition, DataChunk &rows, idx_t order) {
	if (rows.size() == 0) {
		return;
	}
	auto &slot = slots[partition];
	std::lock_guard<std::mutex> guard(slot.lock);
	auto &collection = RowsOf(slot);
	if (slot.runs.empty() || slot.runs.back().order != order || slot.runs.back().rows != &collection) {
		slot.runs.push_back({&collection, order, collection.Count(), 0});
	}
	collection.Append(slot.append, rows);
	slot.runs.back().row_count += rows.size();
	if (!pinned) {
		slot.append.current_chunk_state.handles.clear();
	}
}

ColumnDataCollection &OutputLane::RowsOf(Slot &slot) {
	auto shared_is_full = [&] { return slot.rows.back()->Count() * row_bytes >= SHARED_BLOCKS_BYTES_MAX; };
	if (slot.rows.empty()) {
		slot.rows.push_back(make_uniq<ColumnDataCollection>(allocator, buffer.Types()));
	} else if (slot.rows.size() == 1 && buffer.PartitionCount() > 1 && shared_is_full()) {
		auto &manager = BufferManager::GetBufferManager(buffer.Database());
		slot.rows.push_back(make_uniq<ColumnDataCollection>(manager, buffer.Types()));
		slot.append = ColumnDataAppendState();
	} else if (pinned) {
		return *slot.rows.back();
	}
	slot.rows.back()->InitializeAppend(slot.append);
	return *slot.rows.back();
}

OutputBuffer::OutputBuffer(shared_ptr<DatabaseInstance> db_p, vector<LogicalType> types_p, uint32_t partition_count_p)
    : db(std::move(db_p)), types(std::move(types_p)), partition_count(partition_count_p),
      partition_bytes(partition_count_p, 0) {
	if (types.empty() || partition_count == 0) {
		throw InternalException("An output without columns or partitions");
	}
}

OutputBuffer::~OutputBuffer() {
}

OutputLane &OutputBuffer::AddLane() {
	auto lane = std::make_unique<OutputLane>(*this);
	std::lock_guard<std::mutex> guard(lock);
	lanes.push_back(std::move(lane));
	return *lanes.back();
}

void OutputBuffer::AddBytes(const std::vector<uint64_t> &bytes_by_partition) {
	std::lock_guard<std::mutex> guard(lock);
	for (idx_t i = 0; i < partition_count; i++) {
		partition_bytes[i] += bytes_by_partition[i];
	}
}

void OutputBuffer::SampleSpill() {
	auto now = BufferManager::GetBufferManager(*db).GetUsedSwap();
	auto most = spilled_bytes.load();
	while (now > most && !spilled_bytes.compare_exchange_weak(most, now)) {
	}
}

void OutputBuffer::CollectKeys(std::vector<KeySet> empty_sets) {
	key_sets = std::move(empty_sets);
}

void OutputBuffer::MergeKeys(const std::vector<KeySet> &collected) {
	std::lock_guard<std::mutex> guard(lock);
	for (idx_t i = 0; i < collected.size(); i++) {
		key_sets[i].Merge(collected[i]);
	}
}

void OutputBuffer::AddSample(KeySample::Part part) {
	std::lock_guard<std::mutex> guard(lock);
	sample.Add(std::move(part));
}

void OutputBuffer::Finish() {
	SampleSpill();
	partitions.resize(partition_count);
	partition_rows.resize(partition_count, 0);
	for (uint32_t i = 0; i < partition_count; i++) {
		FinishPartition(i);
	}
}

void OutputBuffer::FinishPartition(uint32_t partition) {
	struct OrderedRun {
		idx_t order;
		Piece piece;
	};
	std::vector<OrderedRun> runs;
	for (auto &lane : lanes) {
		auto &slot = lane->slots[partition];
		slot.append = ColumnDataAppendState();
		for (auto &run : slot.runs) {
			runs.push_back({run.order, {run.rows, run.row_start, run.row_count}});
		}
		slot.runs = std::vector<OutputLane::Run>();
	}
	std::stable_sort(runs.begin(), runs.end(),
	                 [](const OrderedRun &a, const OrderedRun &b) { return a.order < b.order; });

	auto &result = partitions[partition];
	idx_t unit_rows = 0;
	for (auto &run : runs) {
		auto rest = run.piece;
		partition_rows[partition] += rest.row_count;
		while (rest.row_count > 0) {
			// a piece starts and ends at the chunks of the collection wherever it can: those are read without a slice
			auto end = rest.row_start + UNIT_ROWS;
			end -= end % STANDARD_VECTOR_SIZE;
			auto count = MinValue<idx_t>(rest.row_count, end - rest.row_start);
			if (result.units.empty() || unit_rows >= UNIT_ROWS) {
				result.units.push_back({result.pieces.size(), result.pieces.size()});
				unit_rows = 0;
			}
			result.pieces.push_back({rest.rows, rest.row_start, count});
			result.units.back().last = result.pieces.size();
			unit_rows += count;
			rest.row_start += count;
			rest.row_count -= count;
		}
	}
}

//===--------------------------------------------------------------------===//
// Reading
//===--------------------------------------------------------------------===//
class OutputSource : public ChunkSource, public std::enable_shared_from_this<OutputSource> {
public:
	OutputSource(std::shared_ptr<OutputBuffer> buffer_p, uint32_t partition, uint32_t count)
	    : buffer(std::move(buffer_p)) {
		for (auto i = partition; i < partition + count; i++) {
			auto &rows = buffer->partitions[i];
			for (auto &unit : rows.units) {
				units.push_back({&rows.pieces, unit.first, unit.last});
			}
		}
	}

	const vector<LogicalType> &Types() const override {
		return buffer->Types();
	}
	idx_t MaxReaders() const override {
		return MaxValue<idx_t>(units.size(), 1);
	}
	std::unique_ptr<ChunkReader> OpenReader() override;
	void Cancel() override {
		cancelled = true;
	}

	std::shared_ptr<OutputBuffer> buffer;
	//! Of all partitions that it reads
	struct Unit {
		const std::vector<OutputBuffer::Piece> *pieces;
		idx_t first;
		idx_t last;
	};
	std::vector<Unit> units;
	std::atomic<idx_t> next_unit {0};
	std::atomic<bool> cancelled {false};
};

class OutputReader : public ChunkReader {
public:
	explicit OutputReader(OutputSource &source_p) : source(source_p) {
		scan.properties = ColumnDataScanProperties::ALLOW_ZERO_COPY;
		for (idx_t i = 0; i < source.Types().size(); i++) {
			column_ids.push_back(i);
		}
	}

	void Next(DataChunk &chunk) override {
		if (source.cancelled) {
			throw InterruptException();
		}
		if (rows_left == 0 && !NextPiece()) {
			scan.handles.clear();
			scan_rows = nullptr;
			chunk.Reset();
			return;
		}
		auto offset = row % STANDARD_VECTOR_SIZE;
		auto count = MinValue<idx_t>(rows_left, STANDARD_VECTOR_SIZE - offset);
		auto chunk_index = row / STANDARD_VECTOR_SIZE;
		auto &segment = *scan_rows->GetSegments()[0];
		if (offset == 0 && count == MinValue<idx_t>(STANDARD_VECTOR_SIZE, scan_rows->Count() - row)) {
			segment.ReadChunk(chunk_index, scan, chunk, column_ids);
		} else {
			ReadSlice(segment, chunk_index, offset, count, chunk);
		}
		row += count;
		rows_left -= count;
	}

	idx_t BatchIndex() const override {
		return unit;
	}

private:
	//! Part of a chunk, where two runs share one
	void ReadSlice(ColumnDataCollectionSegment &segment, idx_t chunk_index, idx_t offset, idx_t count,
	               DataChunk &chunk) {
		if (!whole) {
			whole = make_uniq<DataChunk>();
			whole->Initialize(Allocator::DefaultAllocator(), source.Types());
		}
		segment.ReadChunk(chunk_index, scan, *whole, column_ids);
		chunk.Reset();
		for (idx_t i = 0; i < chunk.ColumnCount(); i++) {
			chunk.data[i].Slice(whole->data[i], offset, offset + count);
		}
		chunk.SetChildCardinality(count);
	}

	bool NextPiece() {
		while (piece == last_piece) {
			auto next = source.next_unit++;
			if (next >= source.units.size()) {
				return false;
			}
			unit = next;
			piece = source.units[next].first;
			last_piece = source.units[next].last;
		}
		auto &next = (*source.units[unit].pieces)[piece++];
		if (next.rows != scan_rows) {
			// block numbers of one lane mean nothing in another
			scan.handles.clear();
			scan_rows = next.rows;
		}
		row = next.row_start;
		rows_left = next.row_count;
		return true;
	}

	OutputSource &source;
	vector<column_t> column_ids;
	ChunkManagementState scan;
	const ColumnDataCollection *scan_rows = nullptr;
	unique_ptr<DataChunk> whole;
	idx_t unit = 0;
	idx_t piece = 0;
	idx_t last_piece = 0;
	idx_t row = 0;
	idx_t rows_left = 0;
};

std::unique_ptr<ChunkReader> OutputSource::OpenReader() {
	return std::make_unique<OutputReader>(*this);
}

std::shared_ptr<ChunkSource> OutputBuffer::Open(uint32_t partition, uint32_t count) {
	if (count > partition_count || partition > partition_count - count) {
		throw InternalException("Partitions %llu to %llu of an output with %llu partitions", idx_t(partition),
		                        idx_t(partition) + idx_t(count), idx_t(partition_count));
	}
	return std::make_shared<OutputSource>(shared_from_this(), partition, count);
}

} // namespace duckherder

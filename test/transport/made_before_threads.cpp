#ifdef __SANITIZE_THREAD__
#include <arrow/type.h>

#include <vector>

//! libarrow makes one object of each plain type when it is first asked for it, in a way that ThreadSanitizer does not
//! see. Here they are made before there are threads.
namespace duckherder {

std::vector<std::shared_ptr<arrow::DataType>> arrow_types {
    arrow::boolean(), arrow::int8(),   arrow::int16(),  arrow::int32(),   arrow::int64(),      arrow::uint8(),
    arrow::uint16(),  arrow::uint32(), arrow::uint64(), arrow::float32(), arrow::float64(),    arrow::utf8(),
    arrow::binary(),  arrow::date32(), arrow::date64(), arrow::null(),    arrow::large_utf8(), arrow::large_binary()};

} // namespace duckherder
#endif

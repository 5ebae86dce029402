#include "transport/flight_sql/flight_sql_messages.hpp"

#include "transport/flight/protobuf_wire.hpp"

#include "duckdb/common/exception.hpp"

#include <limits>

namespace duckherder::flight_sql {

namespace {

constexpr const char *TYPE_PREFIX = "type.googleapis.com/arrow.flight.protocol.sql.";

//! An enum's values are 0 to `last`
template <class ENUM>
ENUM ReadEnum(ProtobufReader &reader, ENUM last) {
	auto number = reader.Number();
	if (number > static_cast<uint64_t>(last)) {
		throw duckdb::SerializationException("%llu is no value of field %d of a Flight SQL message", number,
		                                     static_cast<int>(reader.Field()));
	}
	return static_cast<ENUM>(number);
}

} // namespace

bool IsPacked(const std::string &bytes) {
	// the type comes first wherever it was written by a protobuf runtime
	try {
		ProtobufReader reader(bytes);
		return reader.Next() && reader.Field() == 1 && reader.Bytes().rfind(TYPE_PREFIX, 0) == 0;
	} catch (duckdb::SerializationException &) {
		return false;
	}
}

Packed Unpack(const std::string &bytes) {
	Packed packed;
	std::string type;
	ProtobufReader reader(bytes);
	while (reader.Next()) {
		if (reader.Field() == 1) {
			type = reader.Text();
		} else if (reader.Field() == 2) {
			packed.body = std::string(reader.Bytes());
		}
	}
	if (type.rfind(TYPE_PREFIX, 0) != 0) {
		throw duckdb::SerializationException("a message of type '%s' is none of Flight SQL", type);
	}
	packed.name = type.substr(std::char_traits<char>::length(TYPE_PREFIX));
	return packed;
}

std::string Pack(const std::string &name, const std::string &body) {
	ProtobufWriter writer;
	writer.Bytes(1, TYPE_PREFIX + name);
	writer.Bytes(2, body);
	return writer.Result();
}

StatementRequest ReadStatementRequest(const std::string &body) {
	StatementRequest request;
	ProtobufReader reader(body);
	while (reader.Next()) {
		if (reader.Field() == 1) {
			request.query = reader.Text();
		} else if (reader.Field() == 2) {
			request.transaction = std::string(reader.Bytes());
		}
	}
	return request;
}

std::string ReadHandle(const std::string &body) {
	std::string handle;
	ProtobufReader reader(body);
	while (reader.Next()) {
		if (reader.Field() == 1) {
			handle = std::string(reader.Bytes());
		}
	}
	return handle;
}

std::string WriteHandle(const std::string &handle) {
	ProtobufWriter writer;
	writer.Bytes(1, handle);
	return writer.Result();
}

EndTransactionRequest ReadEndTransactionRequest(const std::string &body) {
	EndTransactionRequest request;
	ProtobufReader reader(body);
	while (reader.Next()) {
		if (reader.Field() == 1) {
			request.transaction = std::string(reader.Bytes());
		} else if (reader.Field() == 2) {
			request.action = ReadEnum(reader, EndOfTransaction::ROLLBACK);
		}
	}
	return request;
}

std::string WritePreparedStatementResult(const PreparedStatementResult &result) {
	ProtobufWriter writer;
	writer.Bytes(1, result.handle);
	writer.Bytes(2, result.dataset_schema);
	writer.Bytes(3, result.parameter_schema);
	writer.Number(4, result.is_update ? 1 : 0);
	return writer.Result();
}

std::string WriteUpdateResult(int64_t record_count) {
	ProtobufWriter writer;
	writer.Number(1, static_cast<uint64_t>(record_count));
	return writer.Result();
}

ObjectsRequest ReadObjectsRequest(const std::string &body) {
	ObjectsRequest request;
	ProtobufReader reader(body);
	while (reader.Next()) {
		switch (reader.Field()) {
		case 1:
			request.catalog = reader.Text();
			break;
		case 2:
			request.schema_pattern = reader.Text();
			break;
		case 3:
			request.table_pattern = reader.Text();
			break;
		case 4:
			request.table_types.push_back(reader.Text());
			break;
		case 5:
			request.include_schema = reader.Number() != 0;
			break;
		default:
			break;
		}
	}
	return request;
}

namespace {

void ReadReference(ProtobufReader &reader, uint32_t field, TableReference &reference) {
	if (field == 1) {
		reference.catalog = reader.Text();
	} else if (field == 2) {
		reference.schema = reader.Text();
	} else if (field == 3) {
		reference.table = reader.Text();
	}
}

} // namespace

TableReference ReadTableReference(const std::string &body) {
	TableReference reference;
	ProtobufReader reader(body);
	while (reader.Next()) {
		ReadReference(reader, reader.Field(), reference);
	}
	return reference;
}

CrossReference ReadCrossReference(const std::string &body) {
	CrossReference reference;
	ProtobufReader reader(body);
	while (reader.Next()) {
		if (reader.Field() <= 3) {
			ReadReference(reader, reader.Field(), reference.primary);
		} else {
			ReadReference(reader, reader.Field() - 3, reference.foreign);
		}
	}
	return reference;
}

std::vector<uint32_t> ReadSqlInfoRequest(const std::string &body) {
	constexpr uint32_t VARINT_LAST_BYTE = 0x80;
	std::vector<uint32_t> wanted;
	auto add = [&](uint64_t number) {
		if (number > std::numeric_limits<uint32_t>::max()) {
			throw duckdb::SerializationException("%llu is no number of a SqlInfo", number);
		}
		wanted.push_back(static_cast<uint32_t>(number));
	};
	ProtobufReader reader(body);
	while (reader.Next()) {
		if (reader.Field() != 1) {
			continue;
		}
		if (!reader.IsBytes()) {
			add(reader.Number());
			continue;
		}
		// many numbers one after another
		uint64_t value = 0;
		uint32_t shift = 0;
		for (auto character : reader.Bytes()) {
			auto byte = static_cast<uint8_t>(character);
			if (shift > 28) {
				throw duckdb::SerializationException("a number of a SqlInfo has too many bytes");
			}
			value |= static_cast<uint64_t>(byte & 0x7f) << shift;
			shift += 7;
			if (byte < VARINT_LAST_BYTE) {
				add(value);
				value = 0;
				shift = 0;
			}
		}
		if (shift != 0) {
			throw duckdb::SerializationException("a list of SqlInfos ends within a number");
		}
	}
	return wanted;
}

std::optional<int32_t> ReadXdbcTypeRequest(const std::string &body) {
	std::optional<int32_t> wanted;
	ProtobufReader reader(body);
	while (reader.Next()) {
		if (reader.Field() == 1) {
			wanted = static_cast<int32_t>(reader.Number());
		}
	}
	return wanted;
}

IngestRequest ReadIngestRequest(const std::string &body) {
	IngestRequest request;
	ProtobufReader reader(body);
	while (reader.Next()) {
		switch (reader.Field()) {
		case 1: {
			ProtobufReader options(reader.Bytes());
			while (options.Next()) {
				if (options.Field() == 1) {
					request.if_not_exists = ReadEnum(options, IfNotExists::FAIL);
				} else if (options.Field() == 2) {
					request.if_exists = ReadEnum(options, IfExists::REPLACE);
				}
			}
			break;
		}
		case 2:
			request.table = reader.Text();
			break;
		case 3:
			request.schema = reader.Text();
			break;
		case 4:
			request.catalog = reader.Text();
			break;
		case 5:
			request.temporary = reader.Number() != 0;
			break;
		case 6:
			request.transaction = std::string(reader.Bytes());
			break;
		default:
			break;
		}
	}
	return request;
}

} // namespace duckherder::flight_sql

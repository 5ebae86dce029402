#include "chunk_rows.hpp"
#include "transports.hpp"

#include <array>

//! grpc+tls with a certificate made here
namespace duckherder {
namespace {

using duckdb::ExceptionType;

class FlightTls : public testing::Test {
protected:
	void SetUp() override {
		auto command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
		               "-keyout /dev/stdout -out /dev/stdout "
		               "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>&1";
		std::string output;
		auto pipe = popen(command, "r");
		std::array<char, 4096> buffer;
		while (pipe && fgets(buffer.data(), buffer.size(), pipe)) {
			output += buffer.data();
		}
		auto status = pipe ? pclose(pipe) : -1;
		options.tls_key = Pem(output, "PRIVATE KEY");
		options.tls_certificate = Pem(output, "CERTIFICATE");
		if (status != 0 || options.tls_key.empty() || options.tls_certificate.empty()) {
			GTEST_SKIP() << "no certificate: `" << command << "` says: " << output;
		}
	}

	static std::string Pem(const std::string &text, const std::string &label) {
		auto end_line = "-----END " + label + "-----";
		auto begin = text.find("-----BEGIN " + label + "-----");
		auto end = text.find(end_line);
		return end == std::string::npos ? "" : text.substr(begin, end + end_line.size() - begin) + "\n";
	}

	TimeLimit limit;
	FlightNodeOptions options;
};

TEST_F(FlightTls, EverythingTravels) {
	LoopbackNode node(options);
	EXPECT_EQ(node.location, "grpc+tls://127.0.0.1:" + std::to_string(node.node->Port()));
	node.worker->run = [](const TaskRequest &, const ScriptedWorker::Feed &feed) {
		TaskResult result;
		result.partition_rows = {ReadAll(*feed).size()};
		return result;
	};
	node.worker->fetch = [](const FetchRequest &, const duckdb::vector<duckdb::LogicalType> &) {
		return NumbersThen(100, [](ScriptedSource &) {});
	};
	auto channel = node.MakeConnector(options.tls_certificate)->Connect(node.Address());
	auto result = channel->RunTask(MakeRequest(true), NumbersThen(100, [](ScriptedSource &) {}));
	EXPECT_FALSE(result.failed) << result.error.message;
	EXPECT_EQ(result.Rows(), 100 * STANDARD_VECTOR_SIZE);
	EXPECT_EQ(ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())).size(), 100 * STANDARD_VECTOR_SIZE);
	// the token is asked for all the same
	FlightConnector wrong(FlightClientSettings {"wrong", options.tls_certificate});
	ExpectError(ErrorOf([&] { wrong.Connect(node.Address()); }), ExceptionType::PERMISSION);
}

TEST_F(FlightTls, UnknownCertificateIsRefused) {
	LoopbackNode node(options);
	ExpectError(ErrorOf([&] { node.MakeConnector()->Connect(node.Address()); }), ExceptionType::IO, {"w1"});
	EXPECT_TRUE(node.worker->Calls().empty());
}

TEST_F(FlightTls, PlainAndEncryptedDoNotMix) {
	LoopbackNode node(options);
	auto port = std::to_string(node.node->Port());
	auto plain = [&] { node.MakeConnector()->Connect({"w1", "grpc://127.0.0.1:" + port}); };
	ExpectError(ErrorOf(plain), ExceptionType::IO, {"w1"});
	LoopbackNode open_node;
	auto encrypted = [&] {
		open_node.MakeConnector(options.tls_certificate)
		    ->Connect({"w1", "grpc+tls://127.0.0.1:" + std::to_string(open_node.node->Port())});
	};
	ExpectError(ErrorOf(encrypted), ExceptionType::IO, {"w1"});
	EXPECT_TRUE(node.worker->Calls().empty());
	EXPECT_TRUE(open_node.worker->Calls().empty());
}

TEST_F(FlightTls, NodeMayListenEverywhere) {
	options.host = "0.0.0.0";
	options.advertised_host = "127.0.0.1";
	LoopbackNode node(options);
	EXPECT_EQ(node.MakeConnector(options.tls_certificate)->Connect(node.Address())->GetInfo().address.id, "w1");
}

TEST_F(FlightTls, KeyThatIsNoneIsRefused) {
	options.token = MakeToken();
	options.tls_key = "no key";
	FlightNode node(options);
	EXPECT_TRUE(ErrorOf([&] { node.Start(); }).HasError());
}

} // namespace
} // namespace duckherder

#include "main/served_worker.hpp"

#include "common/clock.hpp"
#include "common/limits.hpp"
#include "common/log.hpp"
#include "engine/aggregate_state.hpp"
#include "main/driver_database.hpp"
#include "main/node_flags.hpp"
#include "main/process_memory.hpp"
#include "transport/flight/flight_connector.hpp"
#include "worker/worker_database.hpp"

#include "duckdb/common/error_data.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <unistd.h>

namespace duckherder {

namespace {

//! A machine may start its driver and its workers in any order
constexpr uint64_t DRIVER_WAIT_MS = 60000;

//! Unique as long as the address is
std::string DefaultWorkerId(const FlightNode &node) {
	auto location = node.Location();
	auto address = location.substr(location.find("://") + 3);
	auto loopback =
	    address.rfind("127.", 0) == 0 || address.rfind("localhost:", 0) == 0 || address.rfind("[::1]:", 0) == 0;
	if (loopback) {
		// who is reached at loopback is so on each machine
		char name[256] = {};
		if (gethostname(name, sizeof(name) - 1) == 0) {
			address = name + address.substr(address.rfind(':'));
		}
	}
	std::replace(address.begin(), address.end(), ':', '-');
	return "worker-" + address;
}

WorkerNodeOptions WorkerOptionsOf(const CommandLine &flags) {
	WorkerNodeOptions options;
	options.lease_timeout_ms = MsOf(flags, "--lease-timeout", limits::LEASE_TIMEOUT_MS, limits::LEASE_TIMEOUT_MIN_MS);
	options.remote_threads = static_cast<uint32_t>(flags.GetNumber("--remote-threads", 0, 1, 1024));
	return options;
}

} // namespace

ServedWorker::ServedWorker(const CommandLine &flags_p, NodeHost host_p, WrapWorker wrap_p)
    : flags(flags_p), host(host_p), wrap(std::move(wrap_p)), flight_options(NodeOptionsOf(flags, "127.0.0.1:0")),
      peer_settings(NodeSettingsOf(flags)),
      drain_timeout_ms(MsOf(flags, "--drain-timeout", limits::DRAIN_TIMEOUT_MS, 0)),
      driver_timeout_ms(MsOf(flags, "--driver-timeout", DRIVER_WAIT_MS, 0)), node_options(WorkerOptionsOf(flags)),
      resources(ResourcesOf(flags, host)), flight(flight_options) {
	auto driver = flags.Has("--driver") ? DriverLocation(flags) : std::string();
	MakeNode();
	if (!driver.empty()) {
		registration = std::make_unique<Registration>([this] { return Node()->GetInfo(); }, driver, peer_settings);
	}
	pages = ServeWorker(flags, flight_options, [this] { return Node()->GetInfo(); });
}

ServedWorker::~ServedWorker() {
	Stop();
}

void ServedWorker::MakeNode() {
	WorkerDatabaseOptions options;
	options.threads = resources.threads;
	options.memory_limit = resources.memory_limit;
	options.temp_directory = resources.temp_directory;
	options.temp_limit = resources.temp_limit;
	if (host == NodeHost::PROGRAM) {
		options.make_allocator = process_memory::MakeAllocator;
	}
	options.register_functions.push_back(RegisterAggregateStateFunctions);
	auto opened = OpenWorkerDatabase(options);
	RunInitFile(*opened, flags.Get(node_flags::INIT.name));
	if (address.id.empty()) {
		// the id and the location are known once the port is; who calls before the worker is there finds none
		flight.Start();
		address = {flags.Get("--id", DefaultWorkerId(flight)), flight.Location()};
	}
	auto made =
	    std::make_shared<WorkerNode>(address, opened, std::make_shared<FlightConnector>(peer_settings), node_options);
	{
		std::lock_guard<std::mutex> guard(lock);
		database = opened;
		node = made;
	}
	flight.AddWorker(address.id, wrap ? wrap(made, *opened) : made);
}

bool ServedWorker::RenewNode() {
	auto broken = Node();
	Log::OfProcess().Write(LogLevel::ERROR, "database_renewed",
	                       duckdb::StringUtil::Format("worker %s: the database ended after a fatal error, another one "
	                                                  "takes its place: %s",
	                                                  address.id, broken->BrokenBy()));
	try {
		MakeNode();
	} catch (std::exception &error) {
		Log::OfProcess().Write(LogLevel::ERROR, "worker_ended", duckdb::ErrorData(error).Message());
		return false;
	}
	former.push_back(std::move(broken));
	return true;
}

void ServedWorker::DropFormer() {
	// the end of a worker waits for its tasks, which would keep the present one from sending heartbeats
	std::erase_if(former, [](auto &ended) { return ended->GetInfo().running_tasks == 0; });
}

std::shared_ptr<WorkerNode> ServedWorker::Node() const {
	std::lock_guard<std::mutex> guard(lock);
	return node;
}

bool ServedWorker::Register(const StopWait &stopped) {
	return !registration || registration->Register(driver_timeout_ms, stopped);
}

bool ServedWorker::Run(const StopWait &stopped) {
	SteadyClock clock;
	auto last = clock.NowMs();
	while (!stopped(limits::BROKEN_LOOK_INTERVAL_MS) && !Node()->DrainRequested()) {
		if (Node()->Broken() && (host == NodeHost::PROGRAM || !RenewNode())) {
			return false;
		}
		if (clock.NowMs() - last < limits::HEARTBEAT_INTERVAL_MS) {
			continue;
		}
		last = clock.NowMs();
		Node()->DropExpired();
		DropFormer();
		if (registration) {
			registration->Heartbeat();
		}
	}
	return true;
}

void ServedWorker::Drain(const StopWait &stopped) {
	auto draining = Node();
	draining->SetDraining();
	SteadyClock clock;
	auto deadline = clock.NowMs() + drain_timeout_ms;
	while (true) {
		draining->DropExpired();
		if (draining->Idle() || clock.NowMs() >= deadline) {
			return;
		}
		if (registration) {
			registration->Heartbeat();
		}
		if (stopped(limits::DRAIN_LOOK_INTERVAL_MS)) {
			return;
		}
	}
}

void ServedWorker::AwaitIdleTasks() {
	auto broken = Node();
	SteadyClock clock;
	auto deadline = clock.NowMs() + limits::BROKEN_END_WAIT_MS;
	while (broken->GetInfo().running_tasks > 0 && clock.NowMs() < deadline) {
		std::this_thread::sleep_for(std::chrono::milliseconds(limits::WAIT_SLICE_MS));
	}
	// the answers of the last ones are on their way
	std::this_thread::sleep_for(std::chrono::milliseconds(limits::BROKEN_LOOK_INTERVAL_MS));
}

void ServedWorker::Unregister() {
	if (registration) {
		registration->Unregister();
		registration.reset();
	}
}

void ServedWorker::Stop() {
	Unregister();
	if (pages.server) {
		pages.server->Stop();
		pages.server.reset();
	}
	flight.Stop();
}

void ServedWorker::RelieveMemory(const std::string &error) {
	Node()->RelieveMemory(error);
}

const std::string &ServedWorker::Id() const {
	return address.id;
}

std::string ServedWorker::Location() const {
	return flight.Location();
}

const std::string &ServedWorker::MetricsUrl() const {
	return pages.url;
}

duckdb::DatabaseInstance &ServedWorker::Database() const {
	std::lock_guard<std::mutex> guard(lock);
	return *database->instance;
}

} // namespace duckherder

#include "main/served_nodes.hpp"

#include "common/limits.hpp"
#include "common/log.hpp"
#include "main/driver_node.hpp"
#include "main/node_log.hpp"
#include "main/node_options.hpp"
#include "main/served_worker.hpp"

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <regex>
#include <thread>
#include <unistd.h>

namespace duckherder {

using duckdb::InvalidInputException;

namespace {

//! --memory-limit is the parameter memory_limit
std::string ParameterName(const std::string &flag) {
	auto name = flag.substr(2);
	std::replace(name.begin(), name.end(), '-', '_');
	return name;
}

bool IsHelp(const FlagSpec &flag) {
	return std::string(flag.name) == "--help";
}

//! Errors of the program's code name flags, and who has typed parameters shall read of those.
std::string WithParameterNames(const std::string &text) {
	static const std::regex flag("--[a-z][a-z-]*[a-z]");
	std::string result;
	auto rest = text.cbegin();
	for (std::sregex_iterator found(text.begin(), text.end(), flag), end; found != end; ++found) {
		result.append(rest, (*found)[0].first);
		result += ParameterName(found->str());
		rest = (*found)[0].second;
	}
	return result.append(rest, text.cend());
}

//! Runs what may throw such errors
template <class FUNCTION>
auto WithParameters(FUNCTION function) -> decltype(function()) {
	try {
		return function();
	} catch (std::exception &exception) {
		duckdb::ErrorData error(exception);
		auto type = error.Type();
		if (type == duckdb::ExceptionType::INTERRUPT || type == duckdb::ExceptionType::FATAL ||
		    type == duckdb::ExceptionType::INTERNAL) {
			throw;
		}
		throw duckdb::Exception(type, WithParameterNames(error.RawMessage()));
	}
}

const char *NameOf(NodeKind kind) {
	return kind == NodeKind::DRIVER ? "driver" : "worker";
}

//! The flags that the arguments stand for. Throws if one makes no sense within a process that is not the node's own.
CommandLine ReadArguments(NodeKind kind, const NodeArguments &arguments) {
	std::vector<FlagSpec> taken;
	std::map<std::string, std::vector<std::string>> values;
	for (auto &flag : FlagsOf(kind)) {
		auto name = ParameterName(flag.name);
		auto given = arguments.find(name);
		auto why_not = WhyNotWithinProcess(kind, flag);
		if (given != arguments.end() && why_not) {
			throw InvalidInputException("%s is for the program duckherder: a %s within a process %s", name,
			                            NameOf(kind), why_not);
		}
		if (given != arguments.end()) {
			values[flag.name] = given->second;
		}
		if (!why_not) {
			taken.push_back(flag);
		}
	}
	CommandLine flags(taken, std::move(values));
	auto wants_log = flags.Has(LOG_FILE.name) || flags.Has(LOG_FORMAT.name);
	if (flags.Has(LOG_SLOW_QUERIES.name) && !wants_log) {
		throw InvalidInputException("log_slow_queries needs a log: log_file names its file, or log_format alone takes "
		                            "the standard error of the process");
	}
	if (wants_log) {
		SetUpLog(flags);
		Log::OfProcess().SetSilent(false);
	}
	return flags;
}

//! Something that threads wait for, and that happens once
class Signal {
public:
	void Give() {
		MutexLock guard(lock);
		given = true;
		changed.NotifyAll();
	}
	//! Whether it has been given, within that time
	bool Wait(uint64_t wait_ms) {
		MutexLock guard(lock);
		return changed.WaitFor(guard, std::chrono::milliseconds(wait_ms), [&]() REQUIRES(lock) { return given; });
	}

private:
	Mutex lock;
	Condition changed;
	bool given GUARDED_BY(lock) = false;
};

} // namespace

class ServedNodes::Driver {
public:
	Driver(const CommandLine &flags, duckdb::DatabaseInstance &database, DatabaseState &state)
	    : node(flags, DriverNode::Served {database, state}) {
		node.Start();
		if (flags.Has(LOG_FILE.name) || flags.Has(LOG_FORMAT.name)) {
			watch = std::thread([this] {
				while (!stop.Wait(limits::HEARTBEAT_INTERVAL_MS)) {
					node.Look();
				}
			});
		}
	}

	~Driver() {
		stop.Give();
		if (watch.joinable()) {
			watch.join();
		}
	}

	ServedNode Describe() const {
		return {NodeKind::DRIVER, "", node.Location(), node.PagesUrl()};
	}

private:
	DriverNode node;
	Signal stop;
	//! Writes to the log
	std::thread watch;
};

//! A worker and the thread that does for it what the program's main thread does
class ServedNodes::Worker {
public:
	explicit Worker(const CommandLine &flags) : worker(flags, NodeHost::PROCESS) {
	}

	~Worker() {
		EndAtOnce();
		if (thread.joinable()) {
			thread.join();
		}
	}

	//! Once. False if it was interrupted.
	bool Start(const std::function<bool()> &interrupted) {
		auto stopped = [&](uint64_t wait_ms) {
			for (uint64_t waited = 0; waited < wait_ms && !interrupted(); waited += limits::WAIT_SLICE_MS) {
				std::this_thread::sleep_for(std::chrono::milliseconds(limits::WAIT_SLICE_MS));
			}
			return interrupted();
		};
		if (!worker.Register(stopped)) {
			return false;
		}
		thread = std::thread([this] { Run(); });
		return true;
	}

	void Drain() {
		stop.Give();
	}

	void EndAtOnce() {
		hurry.Give();
		stop.Give();
	}

	bool Ended() {
		return ended.Wait(0);
	}

	ServedNode Describe() const {
		return {NodeKind::WORKER, worker.Id(), worker.Location(), worker.MetricsUrl()};
	}

private:
	void Run() {
		try {
			auto works = worker.Run([this](uint64_t wait_ms) { return stop.Wait(wait_ms); });
			if (!works) {
				worker.Unregister();
				worker.AwaitIdleTasks();
			} else if (!hurry.Wait(0)) {
				worker.Drain([this](uint64_t wait_ms) { return hurry.Wait(wait_ms); });
			}
			worker.Stop();
		} catch (std::exception &error) {
			Log::OfProcess().Write(LogLevel::ERROR, "worker_ended", duckdb::ErrorData(error).Message());
		}
		ended.Give();
	}

	ServedWorker worker;
	//! The worker shall end,
	Signal stop;
	//! and not drain any longer.
	Signal hurry;
	Signal ended;
	std::thread thread;
};

namespace {

//! Those of this process that have ever served a node. It is never destroyed, as the process may end in any way.
class AllServedNodes {
public:
	static AllServedNodes &OfProcess() {
		static auto *all = new AllServedNodes();
		return *all;
	}

	void Add(const std::shared_ptr<ServedNodes> &nodes) {
		MutexLock guard(lock);
		std::erase_if(served, [&](auto &entry) { return entry.expired() || entry.lock() == nodes; });
		served.push_back(nodes);
	}

private:
	//! The libraries that nodes use are still there when this runs, since they were loaded before.
	AllServedNodes() {
		std::atexit([] { OfProcess().End(); });
	}

	void End() {
		// the threads of nodes are not in a process that was forked off
		if (getpid() != process) {
			return;
		}
		std::vector<std::weak_ptr<ServedNodes>> ending;
		{
			MutexLock guard(lock);
			ending.swap(served);
		}
		for (auto &entry : ending) {
			if (auto nodes = entry.lock()) {
				nodes->End();
			}
		}
	}

	const pid_t process = getpid();
	Mutex lock;
	std::vector<std::weak_ptr<ServedNodes>> served GUARDED_BY(lock);
};

} // namespace

ServedNodes::~ServedNodes() {
	End();
}

std::vector<NodeParameter> ServedNodes::ParametersOf(NodeKind kind) {
	std::vector<NodeParameter> parameters;
	for (auto &flag : FlagsOf(kind)) {
		auto type = flag.repeats            ? NodeParameter::Type::LIST
		            : flag.value[0] == '\0' ? NodeParameter::Type::SWITCH
		                                    : NodeParameter::Type::TEXT;
		if (!IsHelp(flag)) {
			parameters.push_back({ParameterName(flag.name), type});
		}
	}
	return parameters;
}

void ServedNodes::EndWithProcess() {
	AllServedNodes::OfProcess().Add(shared_from_this());
}

ServedNode ServedNodes::ServeDriver(duckdb::DatabaseInstance &database, DatabaseState &state,
                                    const NodeArguments &arguments) {
	auto flags = ReadArguments(NodeKind::DRIVER, arguments);
	{
		MutexLock guard(lock);
		if (driver || driver_begins) {
			throw InvalidInputException("This database is served by a driver%s already: CALL duckherder_stop_serving() "
			                            "ends it",
			                            driver ? " at " + driver->Describe().location : std::string());
		}
		driver_begins = true;
	}
	std::shared_ptr<Driver> begun;
	try {
		WithParameters([&] { begun = std::make_shared<Driver>(flags, database, state); });
	} catch (...) {
		MutexLock guard(lock);
		driver_begins = false;
		throw;
	}
	EndWithProcess();
	auto description = begun->Describe();
	MutexLock guard(lock);
	driver_begins = false;
	driver = std::move(begun);
	return description;
}

ServedNode ServedNodes::ServeWorker(const NodeArguments &arguments, const std::function<bool()> &interrupted) {
	auto flags = ReadArguments(NodeKind::WORKER, arguments);
	return WithParameters([&] {
		auto begun = std::make_shared<Worker>(flags);
		if (!begun->Start(interrupted)) {
			throw duckdb::InterruptException();
		}
		EndWithProcess();
		auto description = begun->Describe();
		// those that a driver has let drain go here
		auto others = TakeWorkers();
		others.push_back(std::move(begun));
		MutexLock guard(lock);
		workers.insert(workers.end(), others.begin(), others.end());
		return description;
	});
}

std::vector<std::shared_ptr<ServedNodes::Worker>> ServedNodes::TakeWorkers() {
	std::vector<std::shared_ptr<Worker>> taken;
	{
		MutexLock guard(lock);
		taken.swap(workers);
	}
	std::erase_if(taken, [](auto &worker) { return worker->Ended(); });
	return taken;
}

std::shared_ptr<ServedNodes::Driver> ServedNodes::TakeDriver() {
	MutexLock guard(lock);
	return std::move(driver);
}

std::vector<ServedNode> ServedNodes::Stop(const std::function<bool()> &interrupted) {
	std::vector<ServedNode> ended;
	auto ending = TakeWorkers();
	for (auto &worker : ending) {
		ended.push_back(worker->Describe());
		worker->Drain();
	}
	auto is_running = [](auto &worker) { return !worker->Ended(); };
	while (std::any_of(ending.begin(), ending.end(), is_running) && !interrupted()) {
		std::this_thread::sleep_for(std::chrono::milliseconds(limits::WAIT_SLICE_MS));
	}
	for (auto &worker : ending) {
		worker->EndAtOnce();
	}
	ending.clear();
	if (auto ending_driver = TakeDriver()) {
		ended.push_back(ending_driver->Describe());
	}
	if (interrupted()) {
		throw duckdb::InterruptException();
	}
	return ended;
}

void ServedNodes::End() {
	auto ending = TakeWorkers();
	for (auto &worker : ending) {
		worker->EndAtOnce();
	}
	ending.clear();
	TakeDriver().reset();
}

std::string ServedNodes::DriverLocation() {
	MutexLock guard(lock);
	return driver ? driver->Describe().location : std::string();
}

} // namespace duckherder

#include "main/driver_node.hpp"

#include "common/limits.hpp"
#include "common/log.hpp"
#include "main/node_flags.hpp"
#include "main/node_options.hpp"

namespace duckherder {

namespace {

AdmissionLimits AdmissionOf(const CommandLine &flags) {
	AdmissionLimits admission;
	admission.running_max =
	    static_cast<uint32_t>(flags.GetNumber("--max-queries", admission.running_max, 1, limits::QUERIES_FLAG_MAX));
	admission.queued_max =
	    static_cast<uint32_t>(flags.GetNumber("--max-queued", admission.queued_max, 0, limits::QUERIES_FLAG_MAX));
	admission.wait_max_ms = MsOf(flags, "--queue-timeout", admission.wait_max_ms, 0);
	return admission;
}

FlightNodeOptions OptionsOf(const CommandLine &flags) {
	auto options = NodeOptionsOf(flags, node_flags::DEFAULT_DRIVER);
	options.transaction_idle_ms =
	    MsOf(flags, "--transaction-idle", limits::FLIGHT_SQL_IDLE_DEFAULT_MS, limits::FLIGHT_SQL_IDLE_MIN_MS);
	return options;
}

} // namespace

DriverNode::DriverNode(const CommandLine &flags_p, const Served &served_p)
    : flags(flags_p), served(served_p), options(OptionsOf(flags)), admission(AdmissionOf(flags)),
      worker_wait_ms(MsOf(flags, "--wait-for-workers", 0, 0)),
      log(served.state, 1000 * MsOf(flags, LOG_SLOW_QUERIES.name, 0, 0)), node(options) {
}

DriverNode::~DriverNode() {
	Stop();
}

void DriverNode::Start() {
	auto &state = served.state;
	state.services.cluster->SetAdmissionLimits(admission);
	state.SetWorkerWait(worker_wait_ms);
	sessions = std::make_shared<ClientSessions>(served.instance.shared_from_this(), state.services.clock,
	                                            served.main_database);
	node.SetDriver(state.services.cluster);
	node.Start();
	// after what fails most often, since nothing unlocks it; before anybody can use it
	LockForRoles(served.instance, flags, options, served.history);
	node.SetDatabase(sessions);
	state.SetSessions(sessions);
	pages = ServeDriver(flags, options, state, sessions);
	if (flags.Has("--otlp-endpoint")) {
		traces = std::make_unique<TraceExporter>(
		    state.services.recorder, flags.Get("--otlp-endpoint"),
		    [](const std::string &text) { Log::OfProcess().Write(LogLevel::WARNING, "traces", text); });
	}
}

void DriverNode::Look() {
	log.Look();
}

void DriverNode::Stop() {
	if (pages.server) {
		pages.server->Stop();
		pages.server.reset();
	}
	traces.reset();
	served.state.SetWorkerWait(0);
	node.Stop();
	// the last session of a client may be the last user of the database, which then ends here
	node.SetDatabase(nullptr);
	sessions.reset();
}

std::string DriverNode::Location() const {
	return node.Location();
}

const std::string &DriverNode::PagesUrl() const {
	return pages.url;
}

} // namespace duckherder

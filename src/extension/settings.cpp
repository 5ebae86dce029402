#include "extension/settings.hpp"

#include "engine/result_settings.hpp"
#include "extension/optimizer_hook.hpp"
#include "extension/session_state.hpp"
#include "protocol/trace_context.hpp"
#include "planner/distributed_planner.hpp"
#include "protocol/session_role.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr const char *MODE = "duckherder_mode";
constexpr const char *REQUIRE_DISTRIBUTED = "duckherder_require_distributed";
constexpr const char *MIN_ROWS = "duckherder_min_rows";
//! DuckDB does not say whether somebody has set a setting, but it casts what is set to the setting's own type: the
//! default, of which it takes a copy, is of another one.
constexpr LogicalTypeId MIN_ROWS_DEFAULT_TYPE = LogicalTypeId::BIGINT;
constexpr const char *TASKS_PER_WORKER = "duckherder_tasks_per_worker";
constexpr const char *BROADCAST_LIMIT = "duckherder_broadcast_limit";
constexpr const char *MIN_TASK_BYTES = "duckherder_min_task_bytes";
constexpr const char *DYNAMIC_FILTERS = "duckherder_dynamic_filters";
constexpr const char *TASK_RETRIES = "duckherder_task_retries";
constexpr const char *SPECULATION = "duckherder_speculation";
constexpr const char *SHARED_PATHS = "duckherder_shared_paths";
constexpr const char *QUERY_TIMEOUT = "duckherder_query_timeout";
constexpr const char *TRACE = "duckherder_trace";
constexpr const char *TRACEPARENT = "duckherder_traceparent";
constexpr const char *DISABLED_PASSES = "duckherder_disabled_passes";
constexpr const char *DRIVER = "duckherder_driver";
constexpr const char *TOKEN_FILE = "duckherder_token_file";

void CheckMode(ClientContext &, SetScope, Value &value) {
	auto mode = StringUtil::Lower(value.ToString());
	if (mode != "auto" && mode != "always" && mode != "never") {
		throw InvalidInputException("duckherder_mode is '%s', it can be 'auto', 'always' or 'never'", value.ToString());
	}
	value = Value(mode);
}

template <uint64_t MINIMUM, uint64_t MAXIMUM>
void CheckRange(ClientContext &, SetScope, Value &value) {
	auto number = value.IsNull() ? MAXIMUM + 1 : value.GetValue<uint64_t>();
	if (number < MINIMUM || number > MAXIMUM) {
		throw InvalidInputException("The value %s is out of range, it can be %llu to %llu", value.ToString(), MINIMUM,
		                            MAXIMUM);
	}
}

//! Of a list with commas
std::vector<std::string> Parts(const Value &value) {
	std::vector<std::string> result;
	for (auto &part : StringUtil::Split(value.IsNull() ? string() : value.ToString(), ',')) {
		auto trimmed = part;
		StringUtil::Trim(trimmed);
		if (!trimmed.empty()) {
			result.push_back(trimmed);
		}
	}
	return result;
}

void CheckPaths(ClientContext &, SetScope, Value &value) {
	for (auto &path : Parts(value)) {
		if (path[0] != '/') {
			throw InvalidInputException(
			    "duckherder_shared_paths is a list of absolute paths, with commas between them; "
			    "'%s' is none",
			    path);
		}
	}
}

void CheckPasses(ClientContext &, SetScope, Value &value) {
	auto names = OptionalPasses();
	for (auto &pass : Parts(value)) {
		if (std::find(names.begin(), names.end(), pass) == names.end()) {
			throw InvalidInputException(
			    "duckherder_disabled_passes is a list of passes of the planner, with commas between them: %s; "
			    "'%s' is none of these",
			    StringUtil::Join(names, ", "), pass);
		}
	}
}

void CheckTraceparent(ClientContext &, SetScope, Value &value) {
	auto text = value.IsNull() ? string() : value.ToString();
	if (!text.empty() && !IsTraceparent(text)) {
		throw InvalidInputException("duckherder_traceparent is '%s', but a W3C trace context is "
		                            "'00-TRACE-SPAN-01', with 32 and 16 digits of lower-case hexadecimal",
		                            text);
	}
	value = Value(text);
}

//! Of a setting that is about the database and the cluster, and not about a session
std::string TextForAll(ClientContext &context, SetScope scope, Value &value, const char *name) {
	if (scope == SetScope::SESSION) {
		throw InvalidInputException("%s is the same for all sessions of the database: SET GLOBAL %s = …", name, name);
	}
	SessionRole::Require(context, Role::NODE, "The setting " + std::string(name));
	auto text = value.IsNull() ? string() : value.ToString();
	value = Value(text);
	return text;
}

void ChangeDriver(ClientContext &context, SetScope scope, Value &value) {
	auto address = TextForAll(context, scope, value, DRIVER);
	auto database = DatabaseStateOf(context);
	if (address.empty()) {
		database->StopBorrowing();
	} else {
		database->Borrow(*context.db, ParseNodeAddress(address));
	}
}

void ChangeTokenFile(ClientContext &context, SetScope scope, Value &value) {
	auto path = TextForAll(context, scope, value, TOKEN_FILE);
	DatabaseStateOf(context)->nodes->UseTokenFile(path);
}

Value Get(ClientContext &context, const char *name) {
	Value value;
	context.TryGetCurrentSetting(name, value);
	return value;
}

uint64_t GetNumber(ClientContext &context, const char *name) {
	return Get(context, name).GetValue<uint64_t>();
}

} // namespace

string TraceparentOf(ClientContext &context) {
	return Get(context, TRACEPARENT).ToString();
}

void RegisterSettings(DBConfig &config) {
	config.AddExtensionOption(MODE, "When to distribute: auto (when it should pay), always or never",
	                          LogicalType::VARCHAR, Value("auto"), CheckMode);
	config.AddExtensionOption(REQUIRE_DISTRIBUTED, "Fail instead of running a query wholly or partly in the session",
	                          LogicalType::BOOLEAN, Value::BOOLEAN(false));
	config.AddExtensionOption(MIN_ROWS, "In mode auto, queries whose scans are all smaller stay in the session (rows)",
	                          LogicalType::UBIGINT,
	                          Value::UBIGINT(limits::MIN_DISTRIBUTED_ROWS).DefaultCastAs(MIN_ROWS_DEFAULT_TYPE));
	config.AddExtensionOption(TASKS_PER_WORKER, "A scan is cut into at most this many tasks per worker",
	                          LogicalType::UBIGINT, Value::UBIGINT(limits::TASKS_PER_WORKER_DEFAULT),
	                          CheckRange<1, limits::TASKS_PER_WORKER_MAX>);
	config.AddExtensionOption(BROADCAST_LIMIT, "Build sides estimated above this are shuffled, not broadcast (bytes)",
	                          LogicalType::UBIGINT, Value::UBIGINT(limits::BROADCAST_BYTES));
	config.AddExtensionOption(DYNAMIC_FILTERS, "Let scans leave out rows by the join keys that other stages have found",
	                          LogicalType::BOOLEAN, Value::BOOLEAN(true));
	config.AddExtensionOption(MIN_TASK_BYTES, "Small partitions of an exchange are read together up to this (bytes)",
	                          LogicalType::UBIGINT, Value::UBIGINT(limits::TASK_BYTES_MIN));
	config.AddExtensionOption(TASK_RETRIES, "Further attempts of a task whose worker or connection failed",
	                          LogicalType::UBIGINT, Value::UBIGINT(limits::TASK_RETRIES_DEFAULT),
	                          CheckRange<0, limits::TASK_RETRIES_MAX>);
	config.AddExtensionOption(SPECULATION, "Try slow tasks at a second worker that has nothing else to do",
	                          LogicalType::BOOLEAN, Value::BOOLEAN(true));
	config.AddExtensionOption(SHARED_PATHS, "Directories that all workers share: COPY TO many files there is theirs",
	                          LogicalType::VARCHAR, Value(""), CheckPaths);
	config.AddExtensionOption(QUERY_TIMEOUT, "Distributed queries end with an error after this time (ms, 0: never)",
	                          LogicalType::UBIGINT, Value::UBIGINT(0));
	config.AddExtensionOption(TRACE, "Print the pipeline tasks of each distributed scan to stderr",
	                          LogicalType::BOOLEAN, Value::BOOLEAN(false));
	config.AddExtensionOption(TRACEPARENT, "The W3C trace context that traces of this session's queries belong to",
	                          LogicalType::VARCHAR, Value(""), CheckTraceparent);
	config.AddExtensionOption(DRIVER, "The driver whose workers run the queries of this database (host:port)",
	                          LogicalType::VARCHAR, Value(""), ChangeDriver, SetScope::GLOBAL);
	config.AddExtensionOption(TOKEN_FILE, "The file with the token for nodes that are reached from now on",
	                          LogicalType::VARCHAR, Value(""), ChangeTokenFile, SetScope::GLOBAL);
	config.AddExtensionOption(DISABLED_PASSES, "For tests: passes that the planner leaves out", LogicalType::VARCHAR,
	                          Value(""), CheckPasses);
}

void NoteDriver(DBConfig &config, const std::string &address) {
	config.SetOptionByName(DRIVER, Value(address));
}

std::vector<std::string> DistributionSettingNames() {
	return {MODE,           REQUIRE_DISTRIBUTED, MIN_ROWS,       TASKS_PER_WORKER, BROADCAST_LIMIT,
	        MIN_TASK_BYTES, DYNAMIC_FILTERS,     TASK_RETRIES,   SPECULATION,      QUERY_TIMEOUT,
	        TRACE,          TRACEPARENT,         DISABLED_PASSES};
}

std::vector<std::string> SharedPathsOf(ClientContext &context) {
	return Parts(Get(context, SHARED_PATHS));
}

DistributionMode ModeOf(ClientContext &context) {
	auto mode = Get(context, MODE).ToString();
	return mode == "always"  ? DistributionMode::ALWAYS
	       : mode == "never" ? DistributionMode::NEVER
	                         : DistributionMode::AUTO;
}

bool MinRowsAreChosen(ClientContext &context) {
	return Get(context, MIN_ROWS).type().id() != MIN_ROWS_DEFAULT_TYPE;
}

bool RequiresDistributed(ClientContext &context) {
	return BooleanValue::Get(Get(context, REQUIRE_DISTRIBUTED));
}

PlannerOptions PlannerOptionsOf(ClientContext &context) {
	PlannerOptions options;
	options.result_settings = ResultSettingsOf(context);
	options.tasks_per_worker = static_cast<uint32_t>(GetNumber(context, TASKS_PER_WORKER));
	options.broadcast_limit_bytes = GetNumber(context, BROADCAST_LIMIT);
	options.dynamic_filters = BooleanValue::Get(Get(context, DYNAMIC_FILTERS));
	options.min_task_bytes = GetNumber(context, MIN_TASK_BYTES);
	options.shared_paths = Parts(Get(context, SHARED_PATHS));
	options.disabled_passes = Parts(Get(context, DISABLED_PASSES));
	options.min_rows = ModeOf(context) == DistributionMode::ALWAYS ? 0 : GetNumber(context, MIN_ROWS);
	return options;
}

CoordinatorOptions CoordinatorOptionsOf(ClientContext &context, const DistributedPlan &plan) {
	CoordinatorOptions options;
	options.task_retries = static_cast<uint32_t>(GetNumber(context, TASK_RETRIES));
	options.speculate = BooleanValue::Get(Get(context, SPECULATION));
	options.query_timeout_ms = GetNumber(context, QUERY_TIMEOUT);
	options.trace = BooleanValue::Get(Get(context, TRACE));
	options.result_settings = plan.options.result_settings;
	return options;
}

} // namespace duckherder

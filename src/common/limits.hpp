#pragma once

#include <cstdint>

//! Every bound of the engine in one place. The unit is the last part of the name.
namespace duckherder::limits {

//! More tasks than this per worker only add rounds: the queue is already long enough to balance the load.
constexpr uint32_t TASKS_PER_WORKER_DEFAULT = 4;
constexpr uint32_t TASKS_PER_WORKER_MAX = 64;
//! A query that reads remote files gives a worker so many tasks at a time, and the worker's DuckDB has so many threads
//! for each of its usual ones, unless that is more than the maximum: they mostly wait for the network.
constexpr uint32_t REMOTE_TASKS_PER_WORKER = 8;
constexpr uint32_t REMOTE_THREADS_PER_THREAD = 8;
constexpr uint32_t REMOTE_THREADS_DEFAULT_MAX = 64;
//! DuckDB's row group, the unit of its own parallelism.
constexpr uint64_t ROW_GROUP_ROWS = 122880;
//! Scans below this stay local in mode 'auto'.
constexpr uint64_t MIN_DISTRIBUTED_ROWS = 8192;
//! A build side estimated above this is not broadcast.
constexpr uint64_t BROADCAST_BYTES = 64ULL << 20;
//! Partitions of an exchange that have less than this together are read by one task.
constexpr uint64_t TASK_BYTES_MIN = 1ULL << 20;
//! Further attempts after a task's first, for failures that are not the user's.
constexpr uint32_t TASK_RETRIES_DEFAULT = 3;
constexpr uint32_t TASK_RETRIES_MAX = 100;
//! How long a retried task waits first; doubles with each attempt.
constexpr uint64_t RETRY_BACKOFF_MS = 50;
constexpr uint64_t RETRY_BACKOFF_MAX_MS = 5000;
//! Failures that say nothing against a task (its worker could not be reached, is about to end, or has lost what the
//! task reads) cost none of its attempts for so long after the first one: a worker that starts again is back by then.
constexpr uint64_t RETRY_PATIENCE_MS = 30000;
//! How often a query looks whether a worker that it could not reach is there again, and after how long without an
//! answer its outputs are given up
constexpr uint64_t SUSPECT_LOOK_INTERVAL_MS = 200;
constexpr uint64_t SUSPECT_LOST_MS = 5000;
//! A query after whose tasks so many databases of workers were invalid fails, instead of ending one worker after the
//! other.
constexpr uint32_t BROKEN_WORKERS_MAX = 2;
//! How often a node looks whether its database is still valid, and how long one whose database is not waits for what
//! still runs before it ends
constexpr uint64_t BROKEN_LOOK_INTERVAL_MS = 100;
constexpr uint64_t BROKEN_END_WAIT_MS = 2000;
//! The resident size of a node's process may exceed its --memory-limit by so much before queries are interrupted:
//! threads' stacks, code and what allocators keep are no query's.
constexpr uint64_t PROCESS_MEMORY_MARGIN_PERCENT = 25;
//! How often it is looked at, and how long an interrupted query has to give its memory back before the next one is
//! interrupted
constexpr uint64_t PROCESS_MEMORY_LOOK_INTERVAL_MS = 20;
constexpr uint64_t PROCESS_MEMORY_RELIEF_MS = 200;
//! Blocks of at least this size, beside the buffer manager, are refused if they would not fit: the system is asked for
//! the resident size each time. They count as resident from the start for so long.
constexpr uint64_t LARGE_BLOCK_BYTES = 1ULL << 20;
constexpr uint64_t LARGE_BLOCK_TOUCHED_MS = 100;
//! A task is slow, and is tried at a second worker that has nothing else to do, when it runs for so many times the
//! median of its stage's finished tasks, which are at least so many of a hundred, and at least for so long.
constexpr uint64_t STRAGGLER_FACTOR = 2;
constexpr uint64_t STRAGGLER_DONE_PERCENT = 50;
constexpr uint64_t STRAGGLER_MIN_MS = 1000;
//! An exchange batch is closed when it reaches either.
constexpr uint64_t BATCH_ROWS = 64 * 1024;
constexpr uint64_t BATCH_BYTES = 2ULL << 20;
//! An output of at most so much travels with the result of its task, and with the requests of those that read it
constexpr uint64_t INLINE_OUTPUT_BYTES_MAX = 64ULL << 10;
//! Of the outputs that a stage reads so much travels with its requests, and of a query's so much is kept
constexpr uint64_t INLINE_INPUT_BYTES_MAX = 1ULL << 20;
constexpr uint64_t INLINE_QUERY_BYTES_MAX = 16ULL << 20;
//! What a node remembers of the stages whose tasks it was sent, and a sender of the stages that a node knows
constexpr uint64_t KNOWN_STAGES_BYTES_MAX = 256ULL << 20;
constexpr uint64_t KNOWN_STAGES_MAX = 4096;
//! One message on the wire. A single value of DuckDB may be 4 GB; Arrow and gRPC stop at 2 GB.
constexpr uint64_t MESSAGE_BYTES_MAX = (2ULL << 30) - 1;
//! A serialized fragment or control message above this is refused.
constexpr uint64_t CONTROL_MESSAGE_BYTES_MAX = 256ULL << 20;
//! Objects within objects in a message: a plan of so many levels leaves room on the stack of a thread.
constexpr uint64_t NESTED_OBJECTS_MAX = 4096;
//! Batches of a feed waiting on a worker; gRPC's flow control holds back the rest.
constexpr uint32_t FEED_QUEUE_BATCHES = 8;
//! How often a wait looks whether its query was interrupted.
constexpr uint64_t WAIT_SLICE_MS = 20;
//! Control calls that move no data.
constexpr uint64_t CONTROL_CALL_TIMEOUT_MS = 10000;
//! Connecting to a node, and calls to one that should know us and answer at once.
constexpr uint64_t CONNECT_TIMEOUT_MS = 3000;
//! A worker that does not confirm a cancellation in this time is given up: our own ends of its calls are cut.
constexpr uint64_t CANCEL_CALL_TIMEOUT_MS = 1000;
//! How often a running query looks whether it was interrupted, whatever its threads wait for.
constexpr uint64_t WATCH_INTERVAL_MS = 50;
//! Loading an extension may download it first.
constexpr uint64_t LOAD_EXTENSION_TIMEOUT_MS = 300000;
//! Distributed queries of a driver that run at a time, those that wait, and for how long
constexpr uint32_t RUNNING_QUERIES_DEFAULT = 64;
constexpr uint32_t QUEUED_QUERIES_DEFAULT = 1000;
constexpr uint32_t QUERIES_FLAG_MAX = 100000;
constexpr uint64_t QUEUE_WAIT_DEFAULT_MS = 300000;
//! A place is given away if nobody has said for so long that the query is still there
constexpr uint64_t ADMISSION_LEASE_MS = 10000;
//! How long a call that asks for a place waits for it before it is made again
constexpr uint64_t ADMISSION_CALL_WAIT_MS = 500;
//! A client's session at a driver is closed if it was not used or kept for so long; its client says so often that it is
//! there, and keeps so many of them ready for its next transactions.
constexpr uint64_t SESSION_LEASE_MS = 30000;
constexpr uint64_t SESSION_RENEW_INTERVAL_MS = 5000;
constexpr uint32_t IDLE_SESSIONS_MAX = 16;
//! While a statement runs its client asks so often how much of it is done
constexpr uint64_t PROGRESS_INTERVAL_MS = 500;
constexpr uint32_t CLIENT_SESSIONS_MAX = 1000;
//! What a session does that is no statement: a commit may write a large log, a lake's catalog may be far away.
constexpr uint64_t SESSION_CALL_TIMEOUT_MS = 120000;
//! How long a session waits for the end of its running statement before another one is refused
constexpr uint64_t SESSION_BUSY_WAIT_MS = 10000;
//! Rows of a statement's result that wait to be made into batches
constexpr uint64_t RESULT_QUEUE_BYTES = 8ULL << 20;
//! How long a thread that has nothing to do for its query waits before it looks again
constexpr uint64_t TASK_WAIT_US = 200;
//! A transaction of a Flight SQL client waits so long for its next statement, and so long for its first one. It ends
//! earlier if so many looks in a row, one each interval, find that the connection that it was used over is closed; one
//! whose machine has vanished counts as closed after so many seconds.
constexpr uint64_t FLIGHT_SQL_IDLE_DEFAULT_MS = 300000;
constexpr uint64_t FLIGHT_SQL_IDLE_MIN_MS = 1000;
constexpr uint64_t FLIGHT_SQL_UNUSED_MS = 86400000;
constexpr uint64_t FLIGHT_SQL_LOOK_INTERVAL_MS = 1000;
constexpr uint32_t FLIGHT_SQL_GONE_LOOKS = 2;
constexpr int FLIGHT_SQL_PROBE_SECONDS = 20;
//! Transactions that wait, and statements that are prepared or described but not yet run, at a driver; the statements
//! that were not used for the longest time are forgotten.
constexpr uint32_t FLIGHT_SQL_TRANSACTIONS_MAX = 10000;
constexpr uint32_t FLIGHT_SQL_STATEMENTS_MAX = 10000;
//! Rows of parameters that wait for a prepared statement's next run; a statement that runs once for each as they come
//! has no limit.
constexpr uint32_t FLIGHT_SQL_BOUND_ROWS_MAX = 10000;
//! A batch for programs that were not made for Duckherder: gRPC's own default for a message is 4 MiB. Only a single row
//! may be larger.
constexpr int64_t CLIENT_BATCH_BYTES_MAX = 3LL << 20;
//! Batches of a statement's result that are made ahead; gRPC's flow control holds back the rest
constexpr uint32_t RESULT_QUEUE_BATCHES = 4;
//! Batches of a result that its client reads before they are wanted, and threads that may share them; so much of them
//! goes to one thread, a row group of DuckDB.
constexpr uint32_t READ_AHEAD_BATCHES = 8;
constexpr uint32_t RESULT_READERS_MAX = 16;
constexpr uint64_t RESULT_PART_ROWS = 122880;
constexpr uint64_t RESULT_PART_BYTES = 16ULL << 20;
//! Rows that wait at a driver for one plan
constexpr uint32_t UPLOADS_MAX = 64;
//! Of a client's rows that are sent to a driver so that a query runs there, by estimate: they are broadcast there
constexpr uint64_t SHIPPED_BYTES_MAX = 8ULL << 20;
//! A caller with a wrong token waits, twice as long with each failure; so many of them at a time, who comes then is
//! refused at once.
constexpr uint64_t LOGIN_WAIT_MS = 50;
constexpr uint64_t LOGIN_WAIT_MAX_MS = 1000;
constexpr uint32_t LOGIN_WAITS_MAX = 32;
//! For one address wrong tokens are logged so often, and forgotten after so long without another one
constexpr uint64_t LOGIN_LOG_INTERVAL_MS = 10000;
constexpr uint64_t LOGIN_FORGET_MS = 600000;
constexpr uint64_t LOGIN_ADDRESSES_MAX = 10000;
//! Tokens of clients that a node knows
constexpr uint64_t CLIENT_TOKENS_MAX = 1000;
//! While a task runs its worker says so this often; who waits for a message longer than the timeout gives the call up.
constexpr uint64_t KEEPALIVE_INTERVAL_MS = 5000;
constexpr uint64_t KEEPALIVE_TIMEOUT_MS = 20000;
//! gRPC's own pings; its servers hang up on who sends them more often than every five minutes.
constexpr uint64_t PING_INTERVAL_MS = 600000;
//! A worker tells its driver that it lives, and is lost after missing several.
constexpr uint64_t HEARTBEAT_INTERVAL_MS = 1000;
constexpr uint64_t HEARTBEAT_LOST_MS = 5000;
//! So long a worker that starts waits for its id while the driver still believes another process to have it
constexpr uint64_t REGISTER_PATIENCE_MS = HEARTBEAT_LOST_MS + 2 * HEARTBEAT_INTERVAL_MS;
//! A session tells the workers that hold outputs of a query so often that it is there; they drop the outputs of a query
//! that nobody has asked for for so long.
constexpr uint64_t LEASE_RENEW_INTERVAL_MS = 1000;
constexpr uint64_t LEASE_TIMEOUT_MS = 60000;
constexpr uint64_t LEASE_TIMEOUT_MIN_MS = 3000;
//! How long a worker that is to end waits for those who need it, and how often it looks whether anybody does
constexpr uint64_t DRAIN_TIMEOUT_MS = 60000;
constexpr uint64_t DRAIN_LOOK_INTERVAL_MS = 200;
//! The most that a flag may make a node wait: a day
constexpr uint64_t WAIT_FLAG_MAX_MS = 86400000;
constexpr uint32_t WORKERS_MAX = 1000;
constexpr uint32_t EMBEDDED_WORKERS_MAX = 64;
constexpr uint32_t STAGE_PARTITIONS_MAX = 4096;
//! Finished queries kept for the statistics functions.
constexpr uint32_t HISTORY_QUERIES_MAX = 1000;
constexpr uint32_t HISTORY_TASKS_MAX = 100000;
//! In the file of a driver's history: how often it is written, so that a driver that is killed loses no more than that
//! and what one write takes; longer texts of queries and of single tasks are cut there. DuckDB's memory for the file.
constexpr uint64_t HISTORY_WRITE_INTERVAL_MS = 1000;
constexpr uint64_t HISTORY_TEXT_BYTES_MAX = 64ULL << 10;
constexpr uint64_t HISTORY_TASK_TEXT_BYTES_MAX = 2ULL << 10;
constexpr uint64_t HISTORY_MEMORY_BYTES = 128ULL << 20;
//! How long clearing the history waits until the file is cleared too
constexpr uint64_t HISTORY_CLEAR_WAIT_MS = 10000;
//! Queries whose released state a worker still remembers, so that a late request finds a clear answer.
constexpr uint32_t RELEASED_QUERIES_MAX = 10000;

} // namespace duckherder::limits

#pragma once

#include <cstdint>

//! The limits of the engine. The unit of each is the last part of its name. A limit that only one file needs stands in
//! that file.
namespace duckherder::limits {

//! A scan is cut into at most this many tasks per worker. More tasks only add rounds, because a queue of four already
//! evens out the load.
constexpr uint32_t TASKS_PER_WORKER_DEFAULT = 4;
//! The setting duckherder_tasks_per_worker takes at most this number, which is far more than evening out needs.
constexpr uint32_t TASKS_PER_WORKER_MAX = 64;
//! A query that reads remote files gives a worker this many tasks at a time, because they mostly wait for the network.
constexpr uint32_t REMOTE_TASKS_PER_WORKER = 8;
//! While a worker reads remote files, its DuckDB has this many threads for each of its usual ones, as they mostly wait.
constexpr uint32_t REMOTE_THREADS_PER_THREAD = 8;
//! The default of --remote-threads never exceeds this number, so that a machine of many cores does not start hundreds.
constexpr uint32_t REMOTE_THREADS_DEFAULT_MAX = 64;
//! A row group has this many rows. The number is DuckDB's, whose own threads share a scan by row groups too.
constexpr uint64_t ROW_GROUP_ROWS = 122880;
//! In mode 'auto' a query stays local if none of its scans has this many rows, because distributing
//! costs more than it saves then.
constexpr uint64_t MIN_DISTRIBUTED_ROWS = 8192;
//! A side of a join that has more than this is not broadcast, because every task would have to hold all of it.
constexpr uint64_t BROADCAST_BYTES = 64ULL << 20;
//! One task reads several partitions of an exchange until it has this much: a smaller task is not worth its overhead.
constexpr uint64_t TASK_BYTES_MIN = 1ULL << 20;
//! A task gets this many attempts after its first one, for failures that are not the user's. The query
//! fails with the last of them.
constexpr uint32_t TASK_RETRIES_DEFAULT = 3;
//! The setting duckherder_task_retries takes at most this number, so that every query ends.
constexpr uint32_t TASK_RETRIES_MAX = 100;
//! A failed task waits this long before its second attempt. The wait doubles with each further attempt.
constexpr uint64_t RETRY_BACKOFF_MS = 50;
//! The wait before an attempt does not grow beyond this, so that a worker that is back gets its tasks
//! soon.
constexpr uint64_t RETRY_BACKOFF_MAX_MS = 5000;
//! Failures that say nothing against a task (its worker could not be reached, is about to end, or has lost what the
//! task reads) cost none of its attempts for this long after the first one. A worker that starts again is back by then.
constexpr uint64_t RETRY_PATIENCE_MS = 30000;
//! A query asks a worker that it could not reach this often whether it is there again, so that little time is lost.
constexpr uint64_t SUSPECT_LOOK_INTERVAL_MS = 200;
//! A suspected worker that gives no answer for this long counts as lost. A worker that misses its heartbeats does so
//! after the same time.
constexpr uint64_t SUSPECT_LOST_MS = 5000;
//! A query fails when the databases of this many workers became invalid by its tasks: it would end one worker after the
//! other.
constexpr uint32_t BROKEN_WORKERS_MAX = 2;
//! A node looks this often whether its database is still valid, so that it ends soon if it is not.
constexpr uint64_t BROKEN_LOOK_INTERVAL_MS = 100;
//! A worker whose database is invalid waits this long for tasks that still run, so that their callers are told what has
//! happened. Then it ends.
constexpr uint64_t BROKEN_END_WAIT_MS = 2000;
//! The resident size of a node's process may exceed its --memory-limit by this share before queries are interrupted,
//! because threads' stacks, code, and what allocators keep belong to no query.
constexpr uint64_t PROCESS_MEMORY_MARGIN_PERCENT = 25;
//! A node looks at its resident size this often, since a query can allocate much within a short time.
constexpr uint64_t PROCESS_MEMORY_LOOK_INTERVAL_MS = 20;
//! An interrupted query has this long to give its memory back before the next one is interrupted.
constexpr uint64_t PROCESS_MEMORY_RELIEF_MS = 200;
//! A block of at least this size beside the buffer manager is refused if it would not fit. Smaller blocks are not
//! checked, because each check asks the system for the resident size.
constexpr uint64_t LARGE_BLOCK_BYTES = 1ULL << 20;
//! A large block counts as resident for this long from its start, because its owner writes to it little by
//! little.
constexpr uint64_t LARGE_BLOCK_TOUCHED_MS = 100;
//! A task is slow when it has run for this many times the median of its stage's finished tasks.
constexpr uint64_t STRAGGLER_FACTOR = 2;
//! No task counts as slow before this share of its stage's tasks is done: a median of few tasks says little.
constexpr uint64_t STRAGGLER_DONE_PERCENT = 50;
//! No task counts as slow before it has run for this long: a second attempt would not save enough.
constexpr uint64_t STRAGGLER_MIN_MS = 1000;
//! A batch of an exchange is closed when it has this many rows,
constexpr uint64_t BATCH_ROWS = 64 * 1024;
//! or about this many bytes: enough to be worth a message, and little enough to be kept in several queues.
constexpr uint64_t BATCH_BYTES = 2ULL << 20;
//! An output of at most this size travels with the result of its task, and with the requests of those that read it.
//! That costs less than the call that would fetch it.
constexpr uint64_t INLINE_OUTPUT_BYTES_MAX = 64ULL << 10;
//! Of the outputs that a stage reads, this much travels with its requests. The rest is fetched, so that requests stay
//! small.
constexpr uint64_t INLINE_INPUT_BYTES_MAX = 1ULL << 20;
//! A session sends at most this much of them for one stage, to all nodes together: with many workers, less to each.
constexpr uint64_t INLINE_STAGE_BYTES_MAX = 16ULL << 20;
//! A session keeps this much of the small outputs of one query, which bounds the memory that they take.
constexpr uint64_t INLINE_QUERY_BYTES_MAX = 16ULL << 20;
//! A node remembers this many bytes of the stages whose tasks it was sent. It asks again for what it has forgotten.
constexpr uint64_t KNOWN_STAGES_BYTES_MAX = 256ULL << 20;
//! A node remembers this many stages, and a sender remembers this many that a node knows.
constexpr uint64_t KNOWN_STAGES_MAX = 4096;
//! A message with rows has at most this size. A single value of DuckDB may have 4 GB, but Arrow and gRPC stop at 2 GB.
constexpr uint64_t MESSAGE_BYTES_MAX = (2ULL << 30) - 1;
//! A node refuses a serialized fragment or control message above this size, because it has to hold all of it at once.
constexpr uint64_t CONTROL_MESSAGE_BYTES_MAX = 256ULL << 20;
//! A message holds objects within objects to at most this depth, since decoding a plan of so many levels still leaves
//! room on the stack of a thread.
constexpr uint64_t NESTED_OBJECTS_MAX = 4096;
//! A worker queues this much of a feed ahead of its task, or one batch that is larger. gRPC's flow control holds back
//! the rest at the session, where each thread that reads the feed has one batch at a time.
constexpr uint64_t FEED_QUEUE_BYTES = 16ULL << 20;
//! A wait looks this often whether its query was interrupted. The user does not notice a delay as short as this.
constexpr uint64_t WAIT_SLICE_MS = 20;
//! A control call that moves no data fails after this time, since its answer needs no long work.
constexpr uint64_t CONTROL_CALL_TIMEOUT_MS = 10000;
//! Connecting to a node fails after this time, as does a call to a node that should know us and answer at once.
constexpr uint64_t CONNECT_TIMEOUT_MS = 3000;
//! A worker that does not confirm a cancellation within this time is given up: our own ends of its calls are cut.
constexpr uint64_t CANCEL_CALL_TIMEOUT_MS = 1000;
//! A running query looks this often whether it was interrupted, whatever its threads wait for.
constexpr uint64_t WATCH_INTERVAL_MS = 50;
//! Loading an extension fails after this time, which is long because the worker may have to download it first.
constexpr uint64_t LOAD_EXTENSION_TIMEOUT_MS = 300000;
//! A driver lets this many distributed queries run at a time, unless --max-queries says otherwise.
constexpr uint32_t RUNNING_QUERIES_DEFAULT = 64;
//! At a driver this many queries wait, unless --max-queued says otherwise. Further ones are refused.
constexpr uint32_t QUEUED_QUERIES_DEFAULT = 1000;
//! The flags for both take at most this number.
constexpr uint32_t QUERIES_FLAG_MAX = 100000;
//! A query that has waited for this long is refused, so that no wait is without an end.
constexpr uint64_t QUEUE_WAIT_DEFAULT_MS = 300000;
//! The admission of a query ends if its session has not renewed it for this long: the session is gone.
constexpr uint64_t ADMISSION_LEASE_MS = 10000;
//! A call that asks for admission waits this long before it is made again, so that it notices an interrupt in between.
constexpr uint64_t ADMISSION_CALL_WAIT_MS = 500;
//! A driver closes a client's session that was neither used nor renewed for this long: its client is gone.
constexpr uint64_t SESSION_LEASE_MS = 30000;
//! A client renews its sessions this often, so that several renewals may be lost before the lease ends.
constexpr uint64_t SESSION_RENEW_INTERVAL_MS = 5000;
//! A client keeps this many sessions ready for its next transactions, which saves the call that opens one.
constexpr uint32_t IDLE_SESSIONS_MAX = 16;
//! While a statement runs, its client asks this often how much of it is done: twice a second moves a progress bar.
constexpr uint64_t PROGRESS_INTERVAL_MS = 500;
//! A driver has at most this many sessions of clients, each of which is a connection of its DuckDB.
constexpr uint32_t CLIENT_SESSIONS_MAX = 1000;
//! A call of a session that runs no statement fails after this time, which is long because a commit may write a large
//! log, and a lake's catalog may be far away.
constexpr uint64_t SESSION_CALL_TIMEOUT_MS = 120000;
//! A session waits this long for the end of its running statement before it refuses another one.
constexpr uint64_t SESSION_BUSY_WAIT_MS = 10000;
//! This much of a statement's result waits to be made into batches. The query's threads pause when it is full.
constexpr uint64_t RESULT_QUEUE_BYTES = 8ULL << 20;
//! A thread that has nothing to do for its query waits this long before it looks again.
constexpr uint64_t TASK_WAIT_US = 200;
//! A transaction of a Flight SQL client ends if its next statement does not come within this time, unless
//! --transaction-idle says otherwise.
constexpr uint64_t FLIGHT_SQL_IDLE_DEFAULT_MS = 300000;
//! The flag --transaction-idle takes no less than this, which is the interval of the looks.
constexpr uint64_t FLIGHT_SQL_IDLE_MIN_MS = 1000;
//! A transaction of a Flight SQL client waits this long, a day, for its first statement. One that has done
//! nothing costs little, and its client may be waiting for its user.
constexpr uint64_t FLIGHT_SQL_UNUSED_MS = 86400000;
//! A driver looks this often for transactions of Flight SQL clients that have to end.
constexpr uint64_t FLIGHT_SQL_LOOK_INTERVAL_MS = 1000;
//! A transaction ends when this many looks in a row find that the connection that it was used over is closed.
constexpr uint32_t FLIGHT_SQL_GONE_LOOKS = 2;
//! The connection of a machine that has vanished counts as closed after this time, found out by TCP keepalive.
constexpr int FLIGHT_SQL_PROBE_SECONDS = 20;
//! At a driver this many transactions of Flight SQL clients may be open, which bounds the memory that they take.
constexpr uint32_t FLIGHT_SQL_TRANSACTIONS_MAX = 10000;
//! A driver remembers this many statements that are prepared, and this many that are described, but not yet run. It
//! forgets those that were not used for the longest time.
constexpr uint32_t FLIGHT_SQL_STATEMENTS_MAX = 10000;
//! This many rows of parameters wait for a prepared statement's next run. A statement that runs once for each row as it
//! comes has no limit.
constexpr uint32_t FLIGHT_SQL_BOUND_ROWS_MAX = 10000;
//! A batch for programs that were not made for Duckherder has at most this size, because gRPC's own default for a
//! message is 4 MiB. Only a single row may be larger.
constexpr int64_t CLIENT_BATCH_BYTES_MAX = 3LL << 20;
//! A driver makes this many batches of a statement's result ahead. gRPC's flow control holds back the rest.
constexpr uint32_t RESULT_QUEUE_BATCHES = 4;
//! A client reads this many batches of a result before they are wanted, so that its threads need not wait for them.
constexpr uint32_t READ_AHEAD_BATCHES = 8;
//! At most this many threads of a client share a result.
constexpr uint32_t RESULT_READERS_MAX = 16;
//! One thread of a client takes this many rows of a result at a time, which is a row group of DuckDB,
constexpr uint64_t RESULT_PART_ROWS = 122880;
//! or fewer rows with at least this many bytes, so that wide rows do not take too much memory.
constexpr uint64_t RESULT_PART_BYTES = 16ULL << 20;
//! A client sends the rows for at most this many inputs of one plan, which the driver keeps until the plan runs.
constexpr uint32_t UPLOADS_MAX = 64;
//! A client sends at most this much of its own rows to a driver, by estimate, so that a query runs there. The driver
//! broadcasts them to its workers.
constexpr uint64_t SHIPPED_BYTES_MAX = 8ULL << 20;
//! A caller with a wrong token waits this long for its refusal, and twice as long with each further failure: guessing
//! becomes slow.
constexpr uint64_t LOGIN_WAIT_MS = 50;
//! The wait of a caller with a wrong token does not grow beyond this, because it keeps a thread of the node.
constexpr uint64_t LOGIN_WAIT_MAX_MS = 1000;
//! This many callers with wrong tokens wait at a time. Further ones are refused at once, as each keeps a thread.
constexpr uint32_t LOGIN_WAITS_MAX = 32;
//! Wrong tokens from one address are logged this often at most, so that they do not fill the log.
constexpr uint64_t LOGIN_LOG_INTERVAL_MS = 10000;
//! An address is forgiven its wrong tokens after this long without another one.
constexpr uint64_t LOGIN_FORGET_MS = 600000;
//! A node remembers the failures of this many addresses, which bounds the memory that strangers can take.
constexpr uint64_t LOGIN_ADDRESSES_MAX = 10000;
//! A node knows at most this many tokens of clients, since each call is compared with all of them.
constexpr uint64_t CLIENT_TOKENS_MAX = 1000;
//! A node's HTTP server answers this many requests at a time. Connections without a whole request keep no thread.
constexpr uint32_t HTTP_THREADS = 8;
//! At most this many answers have no end, as a page's live updates have none. Each keeps a thread of its own.
constexpr uint32_t HTTP_STREAMS_MAX = 32;
//! An HTTP server keeps this many connections. A further one takes the place of the one that was silent for longest.
constexpr uint32_t HTTP_CONNECTIONS_MAX = 2048;
//! The request line and the headers of an HTTP request have at most this many bytes together.
constexpr uint64_t HTTP_HEADER_BYTES_MAX = 16ULL << 10;
//! The body of an HTTP request has at most this many bytes: it is SQL that somebody has typed.
constexpr uint64_t HTTP_BODY_BYTES_MAX = 1ULL << 20;
//! The requests that have come in part have at most this many bytes together.
constexpr uint64_t HTTP_RECEIVED_BYTES_MAX = 64ULL << 20;
//! A connection without a request is closed after this long.
constexpr uint64_t HTTP_IDLE_MS = 60000;
//! A request has to come as a whole within this time of its first byte.
constexpr uint64_t HTTP_REQUEST_MS = 10000;
//! A client has to take some of its answer within this time.
constexpr uint64_t HTTP_WRITE_MS = 20000;
//! This many of an HTTP server's threads wait with a refusal for callers with wrong tokens.
constexpr uint32_t HTTP_LOGIN_WAITS_MAX = 4;
//! A browser that has logged in has to do so again after it was silent for this long: half a day.
constexpr uint64_t HTTP_LOGIN_IDLE_MS = 43200000;
//! An HTTP server remembers this many log-ins. A further one ends the one that was not used for longest.
constexpr uint32_t HTTP_LOGINS_MAX = 1000;
//! A page hears this often how the cluster is.
constexpr uint64_t HTTP_EVENT_INTERVAL_MS = 1000;
//! One answer lists at most this many queries, or rows of a statement that somebody has typed into the page.
constexpr uint64_t HTTP_LIST_MAX = 10000;
//! A worker says this often that a task still runs, so that a silent one can be told from a busy one.
constexpr uint64_t KEEPALIVE_INTERVAL_MS = 5000;
//! Whoever waits for a message longer than this gives the call up: four signs of life are missing.
constexpr uint64_t KEEPALIVE_TIMEOUT_MS = 20000;
//! gRPC sends its own pings this often. Its servers hang up on clients that send them more often than every five
//! minutes.
constexpr uint64_t PING_INTERVAL_MS = 600000;
//! A worker tells its driver this often that it lives.
constexpr uint64_t HEARTBEAT_INTERVAL_MS = 1000;
//! A worker is lost when it has been silent for this long: five heartbeats are missing.
constexpr uint64_t HEARTBEAT_LOST_MS = 5000;
//! A worker that starts waits this long for its id while the driver still believes that another process has it. By then
//! the driver has noticed that the other one is lost.
constexpr uint64_t REGISTER_PATIENCE_MS = HEARTBEAT_LOST_MS + 2 * HEARTBEAT_INTERVAL_MS;
//! A session tells the workers that hold outputs of its query this often that it is there.
constexpr uint64_t LEASE_RENEW_INTERVAL_MS = 1000;
//! A worker drops the outputs of a query that nobody has asked for in this time. So the outputs of a session
//! that was killed do not stay.
constexpr uint64_t LEASE_TIMEOUT_MS = 60000;
//! The flag --lease-timeout takes no less than this, so that a renewal or two may be late.
constexpr uint64_t LEASE_TIMEOUT_MIN_MS = 3000;
//! A worker that is to end waits this long for running tasks and for queries that need its outputs.
constexpr uint64_t DRAIN_TIMEOUT_MS = 60000;
//! A worker that is to end looks this often whether anybody still needs it.
constexpr uint64_t DRAIN_LOOK_INTERVAL_MS = 200;
//! No flag makes a node wait for longer than this: a day.
constexpr uint64_t WAIT_FLAG_MAX_MS = 86400000;
//! A driver has at most this many workers, which bounds the list that sessions ask for each second.
constexpr uint32_t WORKERS_MAX = 1000;
//! A session's process holds at most this many workers, each of which is a DuckDB of its own.
constexpr uint32_t EMBEDDED_WORKERS_MAX = 64;
//! An exchange has at most this many partitions, because every task of its stage writes to each of them.
constexpr uint32_t STAGE_PARTITIONS_MAX = 4096;

//! A worker sorts the rows of one task in its memory if they have at most this part of it: DuckDB copies the keys, and
//! the rows once more while it writes them.
constexpr uint64_t SORT_MEMORY_PARTS = 2;
//! Smaller ranges are not worth the files that they end in.
constexpr uint64_t SORTED_BYTES_MIN = 64ULL << 20;
//! More ranges than this an exchange is not planned with.
constexpr uint64_t RANGES_MAX = 1024;
//! The views show this many finished queries,
constexpr uint32_t HISTORY_QUERIES_MAX = 1000;
//! or fewer if they have more than this many tasks together. Both bound the memory of the records.
constexpr uint32_t HISTORY_TASKS_MAX = 100000;
//! A driver writes its history to the file this often. One that is killed loses no more than that and what one write
//! takes.
constexpr uint64_t HISTORY_WRITE_INTERVAL_MS = 1000;
//! The file of the history holds texts of queries and errors up to this size. Longer ones are cut.
constexpr uint64_t HISTORY_TEXT_BYTES_MAX = 64ULL << 10;
//! The file of the history holds the SQL of a task up to this size. There are many tasks, and their texts are alike.
constexpr uint64_t HISTORY_TASK_TEXT_BYTES_MAX = 2ULL << 10;
//! The DuckDB that writes the file of the history has at most this much memory, so that the rest is left to
//! queries.
constexpr uint64_t HISTORY_MEMORY_BYTES = 128ULL << 20;
//! Clearing the history waits this long until the file is cleared too, and fails otherwise.
constexpr uint64_t HISTORY_CLEAR_WAIT_MS = 10000;
//! A worker remembers this many queries whose state it has released, so that a late request finds a clear answer.
constexpr uint32_t RELEASED_QUERIES_MAX = 10000;

} // namespace duckherder::limits

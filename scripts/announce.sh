#!/bin/sh
# announce.sh before|after DIRECTORY [prebuilt|source]: what a first build does and takes, and what can be done with it.
set -eu
directory=$2
case $1 in
before)
	[ -e "$directory/duckherder" ] && exit 0
	# It also says to `after` that this is the first one.
	mkdir -p "$directory"
	touch "$directory/first-build"
	time="about 10 minutes on two cores"
	[ "${3:-prebuilt}" = source ] && time="about 50 minutes on two cores, as DuckDB is compiled too"
	cat <<-END
		make: the first build of Duckherder, in $directory
		  1. fetches DuckDB's headers and library, its shell, Arrow and two modules of the web page: 120 MB
		     (340 MB in build/deps; none of them is compiled, and nothing is installed on this machine)
		  2. compiles Duckherder: $time, and 800 MB in $directory
		Later builds compile what has changed. Ctrl-C is safe at any time; make goes on where it was.

	END
	;;
after)
	[ -e "$directory/first-build" ] || exit 0
	rm "$directory/first-build"
	cat <<-END

		In $directory: the program duckherder, the extension, and duckdb, a shell that loads it. Next:
		  $directory/duckdb      type SELECT duckherder_start_local_server(0, 4); and then any query
		  make demo               a driver and three workers here answer TPC-H queries; fetches 27 MB more
		  make test               every test, about an hour on two cores; fetches 460 MB more
		  make package            an archive for other machines; also make deb, image, repository: docs/deploy.md
	END
	;;
esac

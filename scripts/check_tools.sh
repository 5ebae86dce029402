#!/bin/sh
# Names every missing build tool and the Debian package that brings it.
missing=0
cxx=${CXX:-g++}
need() { # command, Debian package
	if ! command -v "$1" >/dev/null 2>&1; then
		echo "$1 is missing: install the Debian package $2" >&2
		missing=1
	fi
}
case $cxx in
*clang++*)
	need "$cxx" clang
	# libFuzzer and the sanitizers are packages of their own
	runtime=$("$cxx" -print-resource-dir 2>/dev/null)/lib/linux
	if command -v "$cxx" >/dev/null 2>&1 && ! ls "$runtime"/libclang_rt.fuzzer-*.a >/dev/null 2>&1; then
		version=$("$cxx" -dumpversion | cut -d. -f1)
		echo "$cxx has no libFuzzer: install libfuzzer-$version-dev and libclang-rt-$version-dev of Debian" >&2
		missing=1
	fi
	;;
*) need "$cxx" g++ ;;
esac
need cmake cmake
need ninja ninja-build
need python3 python3
need npm npm
# Looked up instead of run: every make comes by here, and pip takes half a second to start.
find_pip='import importlib.util, sys; sys.exit(importlib.util.find_spec("pip") is None)'
if command -v python3 >/dev/null 2>&1 && ! python3 -c "$find_pip"; then
	echo "python3 has no pip: install the Debian package python3-pip" >&2
	missing=1
fi
if command -v "$cxx" >/dev/null 2>&1 && ! echo | "$cxx" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; then
	echo "$cxx does not compile C++20: install the Debian package g++ in version 12 or later" >&2
	missing=1
fi
exit $missing

// The extension as one file, for extension repositories: DuckDB's INSTALL takes one file and no more, and Duckherder's
// extension needs shared libraries beside it. This library carries the extension and them, and writes them beside
// itself at its first LOAD. scripts/extension_repository.py compiles it.

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
//! One of the files that it carries. parts.S, which the script writes, has them.
struct Part {
	//! Relative to the directory of the parts
	const char *name;
	const unsigned char *begin;
	const unsigned char *end;
};
//! The last one has no name.
__attribute__((visibility("hidden"))) extern const Part DUCKHERDER_PARTS[];
//! Of the bytes of all parts
__attribute__((visibility("hidden"))) extern const char DUCKHERDER_PARTS_HASH[];

__attribute__((visibility("default"))) void duckherder_duckdb_cpp_init(void *loader);
}

namespace {

constexpr const char *EXTENSION = "duckherder.duckdb_extension";
constexpr const char *LIBRARIES = "/lib";

[[noreturn]] void Fail(const std::string &what, const std::string &path, const std::string &why) {
	throw std::runtime_error("Duckherder " + what + " '" + path + "': " + why +
	                         ". LOAD writes the libraries of the extension beside it, once: let a user do that who may "
	                         "write there, or install Duckherder from its archive");
}

size_t SizeOf(const Part &part) {
	return static_cast<size_t>(part.end - part.begin);
}

void Write(const std::string &path, const Part &part) {
	auto file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file < 0) {
		Fail("cannot write", path, strerror(errno));
	}
	for (auto next = part.begin; next < part.end;) {
		auto written = write(file, next, static_cast<size_t>(part.end - next));
		if (written < 0 && errno != EINTR) {
			auto why = std::string(strerror(errno));
			close(file);
			Fail("cannot write", path, why);
		}
		next += written > 0 ? written : 0;
	}
	if (close(file) != 0) {
		Fail("cannot write", path, strerror(errno));
	}
}

void RemoveParts(const std::string &directory) {
	for (auto part = DUCKHERDER_PARTS; part->name; part++) {
		unlink((directory + "/" + part->name).c_str());
	}
	rmdir((directory + LIBRARIES).c_str());
	rmdir(directory.c_str());
}

//! Code is only taken from where nobody else could have put it, and only if it is complete.
bool IsUsable(const std::string &directory) {
	for (auto part = DUCKHERDER_PARTS; part->name; part++) {
		struct stat info {};
		auto path = directory + "/" + part->name;
		if (lstat(path.c_str(), &info) != 0) {
			return false;
		}
		if (!S_ISREG(info.st_mode) || (info.st_uid != geteuid() && info.st_uid != 0) || (info.st_mode & 022) != 0) {
			Fail("does not load", path, "others than you and root could have changed it");
		}
		if (static_cast<size_t>(info.st_size) != SizeOf(*part)) {
			Fail("does not load", path, "it is damaged; remove its directory");
		}
	}
	return true;
}

//! Written under another name first: another process never sees a part of it.
void WriteParts(const std::string &directory) {
	auto fresh = directory + ".new-" + std::to_string(getpid());
	if (mkdir(fresh.c_str(), 0755) != 0 || mkdir((fresh + LIBRARIES).c_str(), 0755) != 0) {
		Fail("cannot make", fresh, strerror(errno));
	}
	try {
		for (auto part = DUCKHERDER_PARTS; part->name; part++) {
			Write(fresh + "/" + part->name, *part);
		}
	} catch (...) {
		RemoveParts(fresh);
		throw;
	}
	// Who fails here has lost against another process, which has written the same.
	if (rename(fresh.c_str(), directory.c_str()) != 0) {
		RemoveParts(fresh);
	}
}

//! Of versions that were here before; processes that have loaded them keep them.
void RemoveOthers(const std::string &self, const std::string &directory) {
	auto slash = self.rfind('/');
	auto parent = self.substr(0, slash);
	auto prefix = self.substr(slash + 1) + ".parts-";
	auto entries = opendir(parent.c_str());
	while (auto entry = entries ? readdir(entries) : nullptr) {
		auto path = parent + "/" + entry->d_name;
		if (std::string(entry->d_name).rfind(prefix, 0) == 0 && path != directory) {
			RemoveParts(path);
		}
	}
	if (entries) {
		closedir(entries);
	}
}

std::string OwnPath() {
	Dl_info info {};
	if (dladdr(reinterpret_cast<void *>(&duckherder_duckdb_cpp_init), &info) == 0 || !info.dli_fname) {
		throw std::runtime_error("Duckherder does not find the file that it was loaded from");
	}
	auto resolved = realpath(info.dli_fname, nullptr);
	std::string path = resolved ? resolved : info.dli_fname;
	free(resolved);
	return path;
}

} // namespace

void duckherder_duckdb_cpp_init(void *loader) {
	auto self = OwnPath();
	auto directory = self + ".parts-" + DUCKHERDER_PARTS_HASH;
	if (!IsUsable(directory)) {
		WriteParts(directory);
		RemoveOthers(self, directory);
		if (!IsUsable(directory)) {
			Fail("cannot make", directory, "it is there, but not complete; remove it");
		}
	}
	// As DuckDB loads an extension; it finds its libraries in lib/ beside itself.
	auto library = dlopen((directory + "/" + EXTENSION).c_str(), RTLD_NOW | RTLD_LOCAL);
	auto init = library ? dlsym(library, "duckherder_duckdb_cpp_init") : nullptr;
	if (!init) {
		throw std::runtime_error(std::string("Duckherder cannot be loaded: ") + dlerror());
	}
	reinterpret_cast<void (*)(void *)>(init)(loader);
}

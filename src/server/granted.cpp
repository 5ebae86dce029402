#include "server/granted.hpp"

#include "compat/names.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/common/string_util.hpp"

namespace duckherder {

using namespace duckdb;

uint16_t GrantedPowers(Role role) {
	switch (role) {
	case Role::READ:
		return FunctionPower::CATALOG;
	case Role::WRITE:
		return FunctionPower::CATALOG | FunctionPower::READS_FILES | FunctionPower::NETWORK | FunctionPower::COUNTS;
	case Role::ADMIN:
	case Role::NODE:
		return FunctionPower::ALL;
	}
	return FunctionPower::NONE;
}

bool IsServed(const AttachedDatabase &database, Role role) {
	if (role >= Role::ADMIN || database.IsSystem() || database.IsTemporary()) {
		return true;
	}
	if (database.GetVisibility() == AttachVisibility::HIDDEN ||
	    StringUtil::StartsWith(NameText(database.GetName()), "__ducklake_metadata_")) {
		return false;
	}
	return const_cast<AttachedDatabase &>(database).GetCatalog().GetCatalogType() != "duckherder";
}

void Refuse(const std::string &what, Role role) {
	throw PermissionException("%s needs the role 'admin', this token has the role '%s'", what, RoleName(role));
}

void CheckPowers(const std::string &function, uint16_t powers, uint16_t granted, Role role) {
	if ((powers & ~granted) != 0) {
		Refuse("The function " + function, role);
	}
}

} // namespace duckherder

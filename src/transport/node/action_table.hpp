#pragma once

#include "transport/flight/actions.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "wire/messages.hpp"

#include "duckdb/common/exception.hpp"

#include <functional>
#include <string>
#include <type_traits>
#include <unordered_map>

namespace duckherder {

//! What a node does for each action. Filled once; thread-safe from then on.
class ActionTable {
public:
	struct Caller {
		Role role = Role::READ;
		//! Of the connection
		std::string peer;
		//! A handler sets it to the worker that the action is about: errors name it
		WorkerId worker;
	};

	//! `handler` takes the request and the Caller, and returns the reply, or nothing.
	template <class REQUEST, class REPLY, class HANDLER>
	void Add(const Action<REQUEST, REPLY> &action, HANDLER handler) {
		auto act = [handler = std::move(handler)](const std::string &bytes, Caller &caller) {
			auto request = DecodeMessage<REQUEST>(bytes);
			if constexpr (std::is_same_v<REPLY, Nothing>) {
				handler(request, caller);
				return EncodeMessage(Nothing());
			} else {
				return EncodeMessage(REPLY(handler(request, caller)));
			}
		};
		entries.emplace(action.name, Entry {action.role, std::move(act)});
	}

	//! Who may call it; of an action that is unknown only nodes are told so.
	Role RoleFor(const std::string &action) const {
		auto entry = entries.find(action);
		return entry == entries.end() ? Role::NODE : entry->second.role;
	}

	//! `body`: as it came. Returns the reply as bytes. Throws what decoding it or the handler throws.
	std::string Act(const std::string &action, const std::string &body, Caller &caller) const {
		auto entry = entries.find(action);
		if (entry == entries.end()) {
			throw duckdb::InvalidInputException("unknown action '%s'", action);
		}
		auto parts = flight_protocol::Unpack(body);
		flight_protocol::CheckParts(parts, 1);
		return entry->second.act(parts[0], caller);
	}

private:
	struct Entry {
		Role role;
		std::function<std::string(const std::string &, Caller &)> act;
	};
	std::unordered_map<std::string, Entry> entries;
};

} // namespace duckherder

#include "main/shell_help.hpp"

#include "duckdb/common/string_util.hpp"

#include <algorithm>

namespace duckherder {

using duckdb::StringUtil;

namespace {

//! Of a flag's value: what a file is given for, shells complete by file names
bool IsFile(const FlagSpec &flag) {
	std::string value = flag.value;
	return value == "F" || value == "D" || value == "PATH" || value.rfind("FILE", 0) == 0;
}

std::string Names(const std::vector<CommandSpec> &commands) {
	std::string names;
	for (auto &command : commands) {
		names += (names.empty() ? "" : " ") + command.name;
	}
	return names;
}

std::string FlagNames(const CommandSpec &command, bool (*wanted)(const FlagSpec &)) {
	std::string names;
	for (auto &flag : command.flags) {
		if (wanted(flag)) {
			names += (names.empty() ? "" : " ") + std::string(flag.name);
		}
	}
	return names;
}

std::string BashScript(const std::vector<CommandSpec> &commands) {
	std::string text = "# bash completion of duckherder: source this file, or put it into "
	                   "/usr/share/bash-completion/completions/duckherder\n"
	                   "_duckherder() {\n"
	                   "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} flags files\n"
	                   "    if ((COMP_CWORD == 1)); then\n";
	text += StringUtil::Format("        mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\")\n", Names(commands));
	text += "        return\n    fi\n    case ${COMP_WORDS[1]} in\n";
	for (auto &command : commands) {
		text +=
		    StringUtil::Format("    %s)\n        flags='%s'\n        files='%s'\n        ;;\n", command.name,
		                       FlagNames(command, [](const FlagSpec &) { return true; }), FlagNames(command, IsFile));
	}
	text += "    esac\n"
	        "    if [[ \" $files \" == *\" $before \"* ]]; then\n"
	        "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
	        "    elif [[ $word == -* ]]; then\n"
	        "        mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$word\")\n"
	        "    fi\n"
	        "}\n"
	        "complete -o filenames -F _duckherder duckherder\n";
	return text;
}

//! In single quotes of a shell, without what zsh reads in descriptions
std::string ShellText(std::string text) {
	text = StringUtil::Replace(text, "'", "'\\''");
	for (auto special : {"[", "]", ":"}) {
		text = StringUtil::Replace(text, special, special == std::string(":") ? "\\:" : "\\" + std::string(special));
	}
	return text;
}

std::string ZshScript(const std::vector<CommandSpec> &commands) {
	std::string text = "#compdef duckherder\n"
	                   "# zsh completion of duckherder: put this file into a directory of $fpath, as _duckherder\n"
	                   "_duckherder() {\n    local -a commands=(\n";
	for (auto &command : commands) {
		text += StringUtil::Format("        '%s:%s'\n", command.name, ShellText(command.summary));
	}
	text += "    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n"
	        "    local command=${words[2]}\n    shift words\n    ((CURRENT--))\n    case $command in\n";
	for (auto &command : commands) {
		text += StringUtil::Format("    %s)\n        _arguments", command.name);
		for (auto &flag : command.flags) {
			std::string value = flag.value;
			auto argument = value.empty() ? "" : ":" + ShellText(value) + ":" + (IsFile(flag) ? "_files" : " ");
			text += StringUtil::Format(" \\\n            '%s%s[%s]%s'", flag.repeats ? "*" : "", flag.name,
			                           ShellText(flag.help), argument);
		}
		text += "\n        ;;\n";
	}
	text += "    esac\n}\n_duckherder \"$@\"\n";
	return text;
}

std::string FishScript(const std::vector<CommandSpec> &commands) {
	std::string text = "# fish completion of duckherder: put this file into ~/.config/fish/completions\n"
	                   "complete -c duckherder -f\n";
	auto quoted = [](const std::string &words) { return "'" + StringUtil::Replace(words, "'", "\\'") + "'"; };
	for (auto &command : commands) {
		text += StringUtil::Format("complete -c duckherder -n __fish_use_subcommand -a %s -d %s\n", command.name,
		                           quoted(command.summary));
		for (auto &flag : command.flags) {
			std::string value = flag.value;
			auto takes = value.empty() ? "" : IsFile(flag) ? " -r -F" : " -x";
			text += StringUtil::Format("complete -c duckherder -n '__fish_seen_subcommand_from %s' -l %s%s -d %s\n",
			                           command.name, std::string(flag.name).substr(2), takes, quoted(flag.help));
		}
	}
	return text;
}

//! A line of roff: no dot or quote begins a request, no dash is a hyphen
std::string RoffText(std::string text) {
	text = StringUtil::Replace(text, "\\", "\\e");
	text = StringUtil::Replace(text, "-", "\\-");
	return text.rfind('.', 0) == 0 || text.rfind('\'', 0) == 0 ? "\\&" + text : text;
}

} // namespace

std::string CommandList(const std::vector<CommandSpec> &commands) {
	size_t width = 0;
	for (auto &command : commands) {
		width = std::max(width, command.name.size() + command.subject.size() + 1);
	}
	std::string text;
	for (auto &command : commands) {
		auto words = command.subject.empty() ? command.name : command.name + " " + command.subject;
		words.resize(width, ' ');
		text += StringUtil::Format("  duckherder %s  %s\n", words, command.summary);
	}
	return text;
}

std::string CompletionScript(const std::vector<CommandSpec> &commands, const std::string &shell) {
	if (shell == "bash") {
		return BashScript(commands);
	}
	if (shell == "zsh") {
		return ZshScript(commands);
	}
	if (shell == "fish") {
		return FishScript(commands);
	}
	throw UsageError("duckherder completion SHELL: the SHELL is bash, zsh or fish, not '%s'", shell);
}

std::string ManualPage(const std::vector<CommandSpec> &commands, const std::string &version) {
	std::string text = StringUtil::Format(".TH DUCKHERDER 1 \"\" \"duckherder %s\" \"User Commands\"\n", version);
	text += ".SH NAME\nduckherder \\- runs DuckDB queries on many machines\n"
	        ".SH SYNOPSIS\n.B duckherder\n.I COMMAND\n[\\fIflags\\fR]\n"
	        ".SH DESCRIPTION\n"
	        "Starts the nodes of a cluster, and tells what they do. Queries are typed into DuckDB, with the "
	        "extension loaded.\n.SH COMMANDS\n";
	for (auto &command : commands) {
		auto subject = command.subject.empty() ? "" : " \\fI" + RoffText(command.subject) + "\\fR";
		text +=
		    StringUtil::Format(".SS duckherder %s%s\n%s\n", RoffText(command.name), subject, RoffText(command.summary));
		for (auto &flag : command.flags) {
			std::string value = flag.value;
			auto argument = value.empty() ? "" : " \\fI" + RoffText(value) + "\\fR";
			text += StringUtil::Format(".TP\n\\fB%s\\fR%s\n%s\n", RoffText(flag.name), argument, RoffText(flag.help));
		}
	}
	text +=
	    ".SH ENVIRONMENT\n"
	    "Each flag can be set by a variable DUCKHERDER_\\fICOMMAND\\fR_\\fIFLAG\\fR, with underscores for dashes, and "
	    "for driver and worker by a line \\fIname = value\\fR of the file that \\-\\-config names.\n"
	    ".TP\n\\fBDUCKHERDER_TOKEN_FILE\\fR\nThe file with the cluster's token, else ~/.duckherder/token.\n"
	    ".SH EXIT STATUS\n0 after success, 1 after a failure, 2 if what was typed is wrong, 70 if the database of a "
	    "node ended after a fatal error and the node has to be started again.\n";
	return text;
}

} // namespace duckherder

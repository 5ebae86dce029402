"""A plugin of dbt-duckdb: the models of a project are built on workers.

In profiles.yml, beside `type: duckdb`:

    plugins:
      - module: duckherder.dbt
        config: {driver: "127.0.0.1:8815"}

driver: whose workers are used; $DUCKHERDER_DRIVER by default.
token_file: the cluster's token; $DUCKHERDER_TOKEN_FILE, else ~/.duckherder/token, by default.
settings: of the whole database, for example {duckherder_mode: always}.
"""

from typing import TYPE_CHECKING, Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from duckherder._extension import load, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEYS = {"driver", "token_file", "settings"}


class Plugin(BasePlugin):
    """What dbt-duckdb looks for in the module. dbt owns it, and calls it in the order of these methods."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Takes `config` of the profile. Raises ValueError for a key that is not known."""
        unknown = sorted(set(plugin_config) - _KEYS)
        if unknown:
            raise ValueError(f"The plugin duckherder.dbt has no '{unknown[0]}', it can be {', '.join(sorted(_KEYS))}")
        self._given = plugin_config

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Before the database is opened: the extension is not signed."""
        config["allow_unsigned_extensions"] = "true"

    def configure_connection(self, conn: "DuckDBPyConnection") -> None:
        """After the database is opened. Raises what `duckherder.load` raises."""
        load(conn, driver=self._given.get("driver"), token_file=self._given.get("token_file"))
        for name, value in (self._given.get("settings") or {}).items():
            conn.execute(f"SET GLOBAL {name} = {quoted(str(value))}")

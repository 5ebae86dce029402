"""Callers of the driver that a module's fixture `cluster` has started."""

import pytest
from support.cluster import Cluster
from support.http_client import ROLE_TOKENS, HttpClient, cluster_token


@pytest.fixture
def node(cluster: Cluster) -> HttpClient:
    return HttpClient(cluster.pages, cluster_token())


@pytest.fixture
def reader(cluster: Cluster) -> HttpClient:
    return HttpClient(cluster.pages, ROLE_TOKENS["read"])

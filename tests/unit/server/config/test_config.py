"""Settings: the sources of values, and the sentence for each kind of error."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from channels.contract.settings import LiveSettings
from server.api.services import ApiSettings
from server.config.auth import AuthSection
from server.config.limits import LimitsSection
from server.config.live import LiveSection
from server.config.loading import load_settings
from server.config.reference import effective, markdown, sections, toml
from server.config.section import Section, from_sections
from server.config.settings import Settings
from server.config.upload import UploadSection
from server.edge.body import BodyPace
from server.errors import ConfigError
from server.identity.passwords import PasswordSettings
from server.identity.rate_limits import RateLimits
from server.media.image_checks import UploadLimits

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


PROVIDER = {"name": "id", "issuer": "https://id.example", "client_id": "picshare"}


def write(text: str) -> Path:
    """Write a configuration file and return its path."""
    path = Path("picshare.toml")
    path.write_text(text)
    return path


def test_defaults_need_no_file() -> None:
    """Without a file and without variables every key has its default."""
    settings = load_settings()
    assert (settings.server.port, settings.database.url, settings.broker.url) == (8080, "embedded:", "local:")


def test_the_file_in_the_working_directory_is_read() -> None:
    """A config.toml in the working directory needs no option."""
    Path("config.toml").write_text("[server]\nport = 9001\n")
    assert load_settings().server.port == 9001


def test_environment_goes_before_file_and_command_line_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each key the command line goes before the environment, and the environment before the file."""
    monkeypatch.setenv("PICSHARE_SERVER__PORT", "9002")
    monkeypatch.setenv("PICSHARE_SERVER__HOST", "::1")
    file = write('[server]\nport = 9001\nhost = "0.0.0.0"\ndrain_delay = 2\n')
    settings = load_settings(file, {"server": {"port": 9003}})
    assert (settings.server.port, settings.server.host, settings.server.drain_delay) == (9003, "::1", 2.0)


def test_lists_in_the_environment_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list in the environment is not JSON, but separated by commas."""
    monkeypatch.setenv("PICSHARE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    assert [str(network) for network in load_settings().server.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nprot = 1", ["server.prot", "picshare.toml", "server.port"]),
        ("[sever]\nport = 1", ["sever", "[server]"]),
        ("port = 1", ["port", "did you mean server.port"]),
        ("server = 1", ["server is a section"]),
        ('[server]\nport = "x"', ["server.port", "picshare.toml", "integer"]),
        ("[server]\nport = 70000", ["server.port", "65535"]),
        ('[server]\ntrusted_proxies = ["nobody"]', ["server.trusted_proxies", "nobody is not a network"]),
        ('[server]\nallowed_origins = ["app.example"]', ["server.allowed_origins", "app.example is not a web origin"]),
        ('[server]\nallowed_origins = ["https://a.example/b"]', ["server.allowed_origins", "without a path"]),
        ('[server]\nallowed_origins = ["https://*.example"]', ["server.allowed_origins", "is not a web origin"]),
        ('[server]\nallowed_origins = ["null"]', ["server.allowed_origins", "null is not a web origin"]),
        ('[broker]\nurl = "kafka://x"', ["broker.url", "local: or amqp://"]),
        ('[broker]\nurl = "amqp://a:x,b/c"', ["broker.url", "each node should be host:port"]),
        ('[redis]\nurl = "http://x"', ["redis.url", "redis+cluster://"]),
        ('[redis]\nurl = "redis+cluster://a:1,b:x"', ["redis.url", "each node should be host:port"]),
        ('[redis]\nurl = "redis+cluster://a:1/3"', ["redis.url", "no numbered databases"]),
        ('[database]\nurl = "mysql://a"', ["database.url", "embedded: or postgresql://"]),
        ('[database]\nurl = "postgresql://a:x,b/c"', ["database.url", "each server should be host:port"]),
        (
            '[database]\nurl = "postgresql://a,b/c?target_session_attrs=standby"',
            ["database.url", "read-write, primary, any"],
        ),
        ('[database]\nurl = "postgresql://a/b"\npooler = "session"', ["database.pooler", "'none' or 'transaction'"]),
        ('[database]\nurl = "postgresql://a/b"\npooler = "transaction"', ["database.direct_url", "database.pooler"]),
        ('[database]\npooler = "transaction"', ["database.pooler", "embedded:"]),
        ('[database]\ndirect_url = "postgresql://a/b"', ["database.direct_url", "embedded:"]),
        ('[database]\nurl = "postgresql://a/b"\ndirect_url = "x"', ["database.direct_url", "postgresql://"]),
        ('[database]\nreplicas = ["postgresql://a/b"]', ["database.replicas", "embedded:"]),
        ('[database]\nurl = "postgresql://a/b"\nreplicas = ["x"]', ["database.replicas", "postgresql://"]),
        (
            '[database]\nurl = "postgresql://a/b"\nreplicas = ["postgresql://u:hunter2@c,d/b"]',
            ["database.replicas", "one server"],
        ),
        (
            '[database]\nurl = "postgresql://a/b"\nreplicas = ["postgresql://c/b?target_session_attrs=read-write"]',
            ["database.replicas", "target_session_attrs"],
        ),
        (
            '[database]\nurl = "postgresql://a/b"\nreplicas = ["postgresql://c/b", "postgresql://c/d"]',
            ["database.replicas", "once"],
        ),
        (
            '[database]\nurl = "postgresql://a/b"\nreplica_max_lag = 30',
            ["database.replica_max_lag", "less than or equal to 20"],
        ),
        ('[limits]\nreads = "many"', ["limits.reads", "120/m"]),
        ('[auth]\nsecret = "short"', ["auth.secret", "32 characters"]),
        ("[server\n", ["picshare.toml", "TOML"]),
        ("[live]\npong_deadline = 30", ["live.pong_deadline", "shorter than live.ping_interval"]),
        ("[media]\nsizes = [320, 1080, 9000]", ["media.sizes", "1 to 8192"]),
        ("[media]\nsizes = [160, 320, 1080]", ["media.sizes", "none of media.squares"]),
        ("[media]\nsizes = [320, 320, 1080]", ["media.sizes", "once"]),
        ('[media]\nformats = ["webp"]', ["media.formats", "jpg"]),
        ('[media]\nformats = ["jpg", "gif"]', ["media.formats", "webp, avif"]),
        ("[media]\nsizes = [640]", ["media.eager", "320.jpg"]),
        ('[media]\neager = ["320.jpg"]', ["media.eager", "1080.jpg"]),
        ('[edge]\ncaches = ["10.0.0.5:8079"]', ["edge.caches", "http://10.0.0.5:8079"]),
        ('[edge]\ncaches = ["http://10.0.0.5:8079/"]', ["edge.caches", "without user and path"]),
        ('[edge]\ncaches = ["http://me:hunter2@10.0.0.5"]', ["edge.caches", "without user and path"]),
        ('[media]\nscan = "ftp://scanner"', ["media.scan", "https:// or http://."]),
        ("[media]\nscan_timeout = 0", ["media.scan_timeout"]),
        ('[moderation]\nservice = "openai"', ["moderation.service_key", "moderation.service needs it"]),
        ('[moderation]\nservice = "skynet"', ["moderation.service"]),
        ('[moderation]\nservice = "sightengine"\nservice_key = "x"', ["moderation.service_key", "<api_user>"]),
        ('[moderation]\nservice_url = "ftp://x"', ["moderation.service_url", "https:// or http://."]),
        ('[edge]\nhook_url = "ftp://cdn"', ["edge.hook_url", "https:// or http://."]),
        ('[edge]\nhook_url = "https://me:hunter2@cdn.example.com"', ["edge.hook_url", "everything up to the @."]),
        ("[outbound]\nports = []", ["outbound.ports", "from 1 to 65535"]),
        ("[outbound]\nports = [0, 443]", ["outbound.ports", "from 1 to 65535"]),
        ('[outbound]\nallowed_networks = ["10.0.0.1/8"]', ["outbound.allowed_networks", "10.0.0.1/8 is not a network"]),
        ('[edge]\nhook_url = "https://cdn.example.com"', ["edge.hook_secret", "edge.hook_url needs it"]),
        ('[edge]\nhook_url = "https://cdn.example.com"\nhook_secret = "hunter2"', ["edge.hook_secret", "whsec_"]),
        ("[[oidc.providers]]\nname = 'id'", ["oidc.providers[0].issuer", "it is required"]),
        ("[[oidc.providers]]\nname = 'My IdP'", ["oidc.providers[0].name", "lower-case letters"]),
        ("[[oidc.providers]]\nurl = 'https://x'", ["Unknown key oidc.providers[0].url", "docs/configuration.md"]),
        (
            "[[oidc.providers]]\nname = 'id'\nissuer = 'http://10.0.0.5/'\nclient_id = 'x'",
            ["oidc.providers[0].issuer", "https://", "private = true"],
        ),
        (
            "[[oidc.providers]]\nname = 'id'\nissuer = 'https://a.example/?x'\nclient_id = 'x'",
            ["oidc.providers[0].issuer", "no query"],
        ),
        (
            "[[oidc.providers]]\nname = 'id'\nissuer = 'https://a.example'\nclient_id = 'x'\nscopes = ['email']",
            ["oidc.providers[0].scopes", "openid"],
        ),
        (
            "[[oidc.providers]]\nname = 'id'\nissuer = 'https://a.example'\nclient_id = 'x'\n" * 2,
            ["oidc.providers", "another name"],
        ),
        ("[redis]\nping_interval = 3", ["redis.ping_interval", "live.ping_interval"]),
    ],
)
def test_each_error_is_one_sentence(text: str, expected: list[str]) -> None:
    """The error names the key, the file and a correct value."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write(text))
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    for part in expected:
        assert part in sentence


def test_a_secret_is_in_no_error() -> None:
    """The error about an invalid secret does not contain it."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write('[auth]\nsecret = "hunter2"'))
    assert "hunter2" not in str(caught.value)


def test_an_unknown_variable_is_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable without a key is an error that names the nearest variable."""
    monkeypatch.setenv("PICSHARE_SERVER__PRT", "1")
    with pytest.raises(ConfigError, match=r"PICSHARE_SERVER__PRT .* PICSHARE_SERVER__PORT\?"):
        load_settings()


def test_an_invalid_variable_is_named_as_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about a value from the environment names the variable, not the file."""
    monkeypatch.setenv("PICSHARE_LIVE__PING_INTERVAL", "often")
    with pytest.raises(ConfigError, match=r"live\.ping_interval \(from PICSHARE_LIVE__PING_INTERVAL\)"):
        load_settings()


def test_variables_of_an_orchestrator_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that Kubernetes sets for a service named picshare are ignored."""
    monkeypatch.setenv("PICSHARE_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("PICSHARE_SERVER_PORT", "tcp://10.0.0.1:80")
    assert load_settings().server.port == 8080


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is named by the option or the variable must exist, unlike the default one."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml does not exist"):
        load_settings(Path("nowhere.toml"))
    monkeypatch.setenv("PICSHARE_CONFIG", "elsewhere.toml")
    with pytest.raises(ConfigError, match=r"elsewhere\.toml does not exist"):
        load_settings()


def test_public_url_follows_host_and_port() -> None:
    """Without a public URL, it consists of host and port, with brackets around an IPv6 address."""
    assert load_settings(overrides={"server": {"host": "::1", "port": 81}}).public_url == "http://[::1]:81"
    assert load_settings(overrides={"server": {"public_url": "https://a.example/"}}).public_url == "https://a.example"


def test_changed_values_are_validated() -> None:
    """Values that are changed in code are validated as well."""
    with pytest.raises(ValueError, match="begin with"):
        load_settings().with_values("broker", url="nothing")


def test_printed_settings_hide_secrets() -> None:
    """The settings in effect contain neither the secret nor a password of a URL."""
    settings = load_settings(
        overrides={
            "auth": {"secret": "k" * 40},
            "database": {
                "url": "postgresql://me:hunter2@db-1,db-2/picshare",
                "replicas": ["postgresql://me:hunter2@db-3/picshare"],
            },
            "broker": {"url": "amqp://me:hunter2@mq/"},
            "oidc": {"providers": [{**PROVIDER, "client_secret": "hunter2"}]},
        }
    )
    text = effective(settings)
    assert tomllib.loads(text)["oidc"]["providers"] == [
        {**PROVIDER, "private": False, "client_secret": "***", "scopes": ["openid", "email", "profile"]}
    ]
    assert "hunter2" not in text
    assert "kkkk" not in text
    database = tomllib.loads(text)["database"]
    assert database["url"] == "postgresql://me:***@db-1,db-2/picshare"
    assert database["replicas"] == ["postgresql://me:***@db-3/picshare"]


def test_providers_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in the file they are tables."""
    monkeypatch.setenv("PICSHARE_OIDC__PROVIDERS", json.dumps([PROVIDER]))
    (provider,) = load_settings().oidc.providers
    assert (provider.name, provider.issuer, provider.label) == ("id", "https://id.example", None)
    monkeypatch.delenv("PICSHARE_OIDC__PROVIDERS")
    tables = "".join(
        f"[[oidc.providers]]\nname = '{name}'\nissuer = 'https://{name}'\nclient_id = 'x'\n" for name in "ab"
    )
    assert [each.name for each in load_settings(write(tables)).oidc.providers] == ["a", "b"]


def test_replicas_are_a_list_also_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without replicas the list is empty; in a variable commas separate them."""
    assert load_settings().database.replicas == ()
    monkeypatch.setenv("PICSHARE_DATABASE__URL", "postgresql://a,b/x")
    monkeypatch.setenv("PICSHARE_DATABASE__REPLICAS", "postgresql://b/x, postgresql://c/x")
    assert load_settings().database.replicas == ("postgresql://b/x", "postgresql://c/x")


def test_every_key_is_described() -> None:
    """Every key has a description that ends with a period."""
    for name, section in sections():
        for key, field in section.model_fields.items():
            assert (field.description or "").endswith("."), f"{name}.{key}"


def test_config_toml_shows_every_key_and_default() -> None:
    """The config.toml of the project is up to date, and without its # signs has the defaults."""
    text = (ROOT / "config.toml").read_text()
    assert text == toml(), "run `picshare config --as toml > config.toml`"
    lines = [line for line in text.splitlines() if not line.startswith("# ") and not line.endswith("=")]
    uncommented = load_settings(write("\n".join(line.lstrip("#") for line in lines)))
    assert uncommented.model_dump() == load_settings(write("")).model_dump()


def test_the_reference_is_up_to_date() -> None:
    """The documentation of the settings equals the output of `picshare config --as markdown`."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert text == markdown(), "run `picshare config --as markdown > docs/configuration.md`"


@pytest.mark.parametrize(
    ("section", "cls", "elsewhere"),
    [
        (LimitsSection, RateLimits, set[str]()),
        (LiveSection, LiveSettings, set[str]()),
        (UploadSection, UploadLimits, {"idle_timeout", "min_rate"}),
        (UploadSection, BodyPace, {"max_bytes", "max_pixels"}),
        (AuthSection, ApiSettings, {"hash_memory", "hash_passes", "hash_concurrency"}),
        (AuthSection, PasswordSettings, {"secret", "access_ttl", "refresh_ttl"}),
    ],
)
def test_keys_reach_the_parts_that_they_configure(section: type[Section], cls: Any, elsewhere: set[str]) -> None:
    """Each key of these sections has a field of the same name, so that a renamed one cannot fall back to a default."""
    assert set(section.model_fields) - elsewhere <= {field.name for field in dataclasses.fields(cls)}


def test_a_dataclass_is_built_from_the_keys_with_its_fields_names() -> None:
    """The first section that has a key counts, given values go before all, and other fields keep their default."""

    @dataclasses.dataclass(kw_only=True)
    class Part:
        host: str
        url: str
        deadline: float
        unset: int = 7

    settings = Settings().with_values("server", host="::1").with_values("redis", url="redis://first")
    part = from_sections(Part, settings.server, settings.redis, settings.broker, deadline=2.5)
    assert part == Part(host="::1", url="redis://first", deadline=2.5, unset=7)

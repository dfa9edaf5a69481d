"""Health, configuration, first initialization and documentation of the service."""

from app.system.docs import Docs, DocsAsset, Index, OpenApiJson, OpenApiYaml
from app.system.guardian import GuardianConfig, GuardianHealth, GuardianInitDb, GuardianVersion
from app.system.resources import AuthConfig, AuthHealth, AuthVersion, Config, Health, InitDb, Live, Ready, Version

TAG = "system"
ENDPOINTS = (
    Health, Live, Ready, Version, Config, InitDb, AuthHealth, AuthVersion, AuthConfig, Index, OpenApiJson, OpenApiYaml,
    Docs, DocsAsset,
)  # fmt: skip
PROBES = (Live, Ready)
ENGINE_ENDPOINTS = (GuardianHealth, GuardianVersion, GuardianConfig, GuardianInitDb)

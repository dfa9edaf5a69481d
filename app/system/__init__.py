"""Health, configuration, first initialization and documentation of the service."""

from app.system.docs import Docs, DocsAsset, OpenApiJson, OpenApiYaml
from app.system.guardian import GuardianConfig, GuardianHealth, GuardianInitDb, GuardianVersion
from app.system.resources import Config, Health, InitDb, Live, Ready, Version

TAG = "system"
ENDPOINTS = (Health, Live, Ready, Version, Config, InitDb, OpenApiJson, OpenApiYaml, Docs, DocsAsset)
PROBES = (Live, Ready)
ENGINE_ENDPOINTS = (GuardianHealth, GuardianVersion, GuardianConfig, GuardianInitDb)

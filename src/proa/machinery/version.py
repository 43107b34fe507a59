"""What `/version` answers."""

from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always


class Info(Object):
    """The version of the server, and what it was built from and runs on."""

    definition: ClassVar[str] = "io.k8s.apimachinery.pkg.version.Info"
    major: Annotated[str, Field(required=True)] = always(str)
    minor: Annotated[str, Field(required=True)] = always(str)
    emulationMajor: str = ""
    emulationMinor: str = ""
    minCompatibilityMajor: str = ""
    minCompatibilityMinor: str = ""
    gitVersion: Annotated[str, Field(required=True)] = always(str)
    gitCommit: Annotated[str, Field(required=True)] = always(str)
    gitTreeState: Annotated[str, Field(required=True)] = always(str)
    buildDate: Annotated[str, Field(required=True)] = always(str)
    goVersion: Annotated[str, Field(required=True)] = always(str)
    compiler: Annotated[str, Field(required=True)] = always(str)
    platform: Annotated[str, Field(required=True)] = always(str)

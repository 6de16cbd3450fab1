"""What a profile says of signing: which scheme was agreed, and the keys that it takes.

Form       ``secret://`` in a profile is resolved by the composition root: here it is the secret already
Careful    keys are tried when a profile is read, so that a wrong one is found before a partner sends anything
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from connectors.signing_schemes import HmacSm3, Scheme, Sm2
from hub.crypto.sm2 import USER_ID, Sm2PrivateKey, Sm2PublicKey
from schemas.errors import Misconfigured

__all__ = ["SigningSettings", "believable"]

T = TypeVar("T")
# Which settings belong to which scheme; those it cannot do without come first.
_NEEDS = {"HMAC-SM3": "secret", "SM2": "private_key"}
_OF = {"secret": "HMAC-SM3", "private_key": "SM2", "public_key": "SM2", "user_id": "SM2"}


class SigningSettings(BaseModel):
    """The part of a profile that is about signatures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sign_type: Annotated[
        Literal["HMAC-SM3", "SM2"],
        Field(description="How both sides sign; no other way is let in."),
    ] = "HMAC-SM3"
    secret: Annotated[
        SecretStr | None,
        Field(
            description="HMAC-SM3: shared with the system, for signatures.", validate_default=True
        ),
    ] = None
    private_key: Annotated[
        SecretStr | None,
        Field(
            description="SM2: ours, for what we send; hexadecimal or PEM.", validate_default=True
        ),
    ] = None
    public_key: Annotated[
        str | None,
        Field(description="SM2: the system's, for what it sends; hexadecimal or PEM."),
    ] = None
    user_id: Annotated[
        str, Field(max_length=256, description="SM2: the user id that goes into a signature.")
    ] = USER_ID

    @field_validator("secret", "private_key", "public_key", "user_id")
    @classmethod
    def _of_its_scheme(cls, value: T, about: ValidationInfo) -> T:
        name, scheme = str(about.field_name), about.data.get("sign_type")
        # A scheme that is none is told already, and only once.
        if scheme is None:
            return value
        if value is None and _NEEDS[scheme] == name:
            raise ValueError(f"sign_type {scheme} needs {name}")
        if value is not None and _OF[name] != scheme:
            raise ValueError(f"{name} is for sign_type {_OF[name]}, and this is {scheme}")
        return value

    @field_validator("private_key")
    @classmethod
    def _a_private_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _tried(lambda: Sm2PrivateKey.read(value.get_secret_value()))
        return value

    @field_validator("public_key")
    @classmethod
    def _a_public_key(cls, value: str | None) -> str | None:
        if value is not None:
            _tried(lambda: Sm2PublicKey.read(value))
        return value

    def scheme(self) -> Scheme:
        """Ready to sign and to verify."""
        if self.sign_type == "SM2":
            public = Sm2PublicKey.read(self.public_key) if self.public_key else None
            return Sm2(Sm2PrivateKey.read(_told(self.private_key)), public, self.user_id)
        return HmacSm3(_told(self.secret))


def believable(receives: T, about: ValidationInfo) -> T:
    """For the setting that says whether a system pushes to us: by SM2, that takes its public key."""
    by_sm2 = about.data.get("sign_type") == "SM2"
    # A key that is wrong is told already, and is not among the data.
    if receives and by_sm2 and about.data.get("public_key", "") is None:
        raise ValueError("a system that pushes with sign_type SM2 needs public_key")
    return receives


def _told(secret: SecretStr | None) -> str:
    if secret is None:
        raise TypeError("a profile that was not validated")
    return secret.get_secret_value()


def _tried(read: Callable[[], object]) -> None:
    try:
        read()
    except Misconfigured as error:
        if error.code != "crypto.sm2-key":
            raise
        raise ValueError("not an SM2 key, neither in hexadecimal nor in PEM") from error

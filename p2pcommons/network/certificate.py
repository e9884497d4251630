"""The certificate of direct links: self-signed, Ed25519, made once and kept (chapter 30, "Links").

It only carries TLS: who the node is, its node key proves inside the link, bound to this certificate. So it names
nobody and never expires. Its key is a key of its own, kept with it in one file that only its owner may read.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from p2pcommons.errors import StoreError

# RFC 5280 4.1.2.5: this end says "no end known". Clocks of small machines are wrong, so nothing rests on dates.
_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key on disk, `path` (PEM), and the DER bytes that a peer sees."""

    path: Path
    der: bytes


def keep_certificate(path: Path) -> Certificate:
    """The certificate in this file, made there if there is none. StoreError `bad_certificate`."""
    try:
        try:
            pem = path.read_bytes()
        except FileNotFoundError:
            pem = _make()
            try:
                _write_secret(path, pem)
            except OSError as error:
                raise StoreError(
                    "folder_unusable",
                    f"{path} cannot be written: {error.strerror}. Make room, or see whose folder it is, then try again.",
                ) from error
        text = pem.decode("ascii")
        der = ssl.PEM_cert_to_DER_cert(text[text.index(_BEGIN) :])
        listening_context(Certificate(path, der))  # OpenSSL sees whether key and certificate belong together
    except (OSError, ValueError) as error:
        raise StoreError(
            "bad_certificate",
            f"the certificate in {path} cannot be used ({error}); move the file away and a new one is made, "
            "which costs nothing: other nodes know this node by its key",
        ) from error
    return Certificate(path, der)


def listening_context(certificate: Certificate) -> ssl.SSLContext:
    """TLS as the listener speaks it: 1.3 only, this certificate, nothing asked of the dialler."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate.path)
    return context


def dialling_context() -> ssl.SSLContext:
    """TLS to `HOST:PORT`: 1.3 only, any certificate; the channel binding tells whose it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _make() -> bytes:
    # Imported here: made once in a node's life, and 4 MB of memory in every other one.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "p2pcommons")])
    key = Ed25519PrivateKey.generate()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, algorithm=None)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _write_secret(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 that is there whole or not at all."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)

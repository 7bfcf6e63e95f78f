"""When two spellings mean the same: the comparable form of a value, by kind. Pure; parsing is left to libraries.

A value that cannot be understood gets a form beginning with ``?``; it equals only itself and may not travel. Every
form is a fixpoint: the comparable form of a comparable form is itself.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from babel import Locale
from email_validator import EmailNotValidError, validate_email

from schemas.records import Kind

DEFAULT_REGION = "AT"
_BLANKS = re.compile(r"[\s\u00a0\u2007\u202f]+")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\ufeff"))
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011"), "-")
_EXTENSION = re.compile(r"(?:\bDW\.?|\bDurchwahl|\bKl\.?|\bext\.?|;ext=)\s*\d+\s*$", re.IGNORECASE)
_SHARED = {"info", "office", "kontakt", "contact", "mail", "sekretariat", "buchhaltung", "verkauf", "sales", "service"}
_MORE_COUNTRIES = {
    "a": "AT", "d": "DE", "ch": "CH", "fl": "LI", "i": "IT", "h": "HU", "tschechische republik": "CZ", "czechia": "CZ",
    "czech republic": "CZ", "slovak republic": "SK", "grossbritannien": "GB", "england": "GB", "uk": "GB",
    "united kingdom": "GB", "great britain": "GB", "usa": "US", "u.s.a.": "US", "u.s.": "US", "us": "US",
    "united states of america": "US", "the netherlands": "NL", "holland": "NL", "bundesrepublik deutschland": "DE",
}  # fmt: skip
_SALUTATIONS = {
    "herr": "herr", "hr": "herr", "hr.": "herr", "mr": "herr", "mr.": "herr",
    "frau": "frau", "fr": "frau", "fr.": "frau",
    "ms": "frau", "ms.": "frau", "mrs": "frau", "mrs.": "frau", "divers": "divers", "diverse": "divers", "mx": "divers",
}  # fmt: skip


def clean(text: str) -> str:
    """The text in one Unicode form, without invisible characters, blanks collapsed and trimmed."""
    composed = unicodedata.normalize("NFC", text).translate(_INVISIBLE).translate(_HYPHENS)
    return unicodedata.normalize("NFC", _BLANKS.sub(" ", composed).strip())


def canonical(kind: Kind, text: str, *, region: str = DEFAULT_REGION) -> str:
    """The comparable form of a value; empty for an empty one.

    ``region`` is the ISO country of phone numbers without one.
    """
    cleaned = clean(text)
    if not cleaned:
        return ""
    match kind:
        case Kind.PHONE:
            return _phone(cleaned, region)
        case Kind.COUNTRY:
            return _country(cleaned)
        case Kind.URL:
            return _url(cleaned)
        case Kind.EMAIL:
            return _email(cleaned)
        case Kind.VAT:
            return _vat(cleaned)
        case Kind.SALUTATION:
            return _salutation(cleaned)
        case _:
            return cleaned


def _phone(text: str, region: str) -> str:
    """E.164 with the extension kept apart; what is no number is compared as it stands."""
    plain = re.sub(r"\(0\)", "", text)
    extension = ""
    found = _EXTENSION.search(plain)
    if found:
        extension = re.sub(r"\D", "", found.group())
        plain = plain[: found.start()].strip()
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    extension = extension or number.extension or ""
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{written};ext={extension}" if extension else written


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in ("de", "en"):
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha():
                names.setdefault(fold(name), code)
    return names | _MORE_COUNTRIES


@lru_cache(maxsize=1)
def _country_codes() -> frozenset[str]:
    return frozenset(code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha())


def _country(text: str) -> str:
    if len(text) == 2 and text.upper() in _country_codes() and text.lower() not in _MORE_COUNTRIES:
        return text.upper()
    return _country_names().get(fold(text)) or (text if text.startswith("?") else f"?{text}")


def country_text(code: str, language: str) -> str:
    """The name of an ISO country in a language ("Austria"); the code itself when there is none."""
    return str(Locale(language).territories.get(code, code))


def _url(text: str) -> str:
    rest = re.sub(r"^https?://", "", text, flags=re.IGNORECASE)
    host, slash, path = rest.partition("/")
    host = re.sub(r"^www\.", "", host.lower())
    return f"{host}{slash}{path}".rstrip("/")


def domain_of(text: str) -> str:
    """The host of a web address without ``www.``; empty when there is none."""
    return re.split(r"[/?#:]", canonical(Kind.URL, text), maxsplit=1)[0]


def _email(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at:
        return text.lower()
    try:
        known = validate_email(f"x@{domain}", check_deliverability=False, test_environment=True)
        domain = known.ascii_domain or domain
    except EmailNotValidError:
        pass
    return f"{local.lower()}@{domain.lower()}"


def is_shared_mailbox(email: str) -> bool:
    """Whether an address belongs to an office rather than a person."""
    return email.partition("@")[0].lower() in _SHARED


def _vat(text: str) -> str:
    plain = re.sub(r"\b(MWST|TVA|IVA)\b\.?", "", text.upper())
    return re.sub(r"[\s.\-]", "", plain)


def vat_is_valid(vat: str) -> bool:
    """Whether the check digit of an Austrian, German or Swiss number fits; other countries by their shape."""
    if re.fullmatch(r"ATU\d{8}", vat):
        return _austrian(vat[3:])
    if re.fullmatch(r"DE\d{9}", vat):
        return _german(vat[2:])
    if re.fullmatch(r"CHE\d{9}", vat):
        return _swiss(vat[3:])
    return bool(re.fullmatch(r"(IT\d{11}|HU\d{8}|SI\d{8}|CZ\d{8,10}|SK\d{10}|NL\d{9}B\d{2})", vat))


def _austrian(digits: str) -> bool:
    total = sum(int(d) if i % 2 == 0 else sum(divmod(int(d) * 2, 10)) for i, d in enumerate(digits[:7]))
    return (96 - total) % 10 == int(digits[7])


def _german(digits: str) -> bool:
    product = 10
    for digit in digits[:8]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[8])


def _swiss(digits: str) -> bool:
    total = sum(int(d) * weight for d, weight in zip(digits[:8], (5, 4, 3, 2, 7, 6, 5, 4), strict=True))
    return (11 - total % 11) % 11 == int(digits[8])


def _salutation(text: str) -> str:
    return _SALUTATIONS.get(text.lower()) or (text if text.startswith("?") else f"?{text}")


def fold(text: str) -> str:
    """Lower case, umlauts written out, accents dropped: for searching, never for writing."""
    lowered = clean(text).lower()
    for umlaut, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        lowered = lowered.replace(umlaut, written)
    plain = unicodedata.normalize("NFKD", lowered)
    return "".join(char for char in plain if not unicodedata.combining(char))


_LEGAL_FORMS = (
    (r"(gesellschaft m\.? ?b\.? ?h\.?|ges\.? ?m\.? ?b\.? ?h\.?|gesmbh|gmbh) ?(&|u\.?|und)? ?co\.? ?kg", "gmbh & co kg"),
    (
        r"gesellschaft m\.? ?b\.? ?h\.?|gesellschaft mit beschraenkter haftung|ges\.? ?m\.? ?b\.? ?h\.?|gesmbh|gmbh",
        "gmbh",
    ),
    (r"aktiengesellschaft|ag", "ag"),
    (r"kommanditgesellschaft|kg", "kg"),
    (r"offene gesellschaft|og|oeg|ohg", "og"),
    (r"e\. ?u\.?|eu", "e.u."),
    (r"e\. ?v\.?", "e.v."),
    (r"reg\. ?gen\. ?m\. ?b\. ?h\.?|e\. ?gen\.?|eg", "egen"),
    (r"se", "se"),
    (r"ug( \(haftungsbeschraenkt\))?", "ug"),
)


def company_name_key(name: str) -> str:
    """A company's name for comparing: folded, punctuation dropped, its legal form in one spelling.

    Different legal forms are different companies: "Huber GmbH" and "Huber KG" stay apart.
    """
    text = fold(name).strip(" .,")
    form = ""
    for pattern, word in _LEGAL_FORMS:
        found = re.search(rf"(?:^|[\s,]){'(?:' + pattern + ')'}$", f"{text}") or re.search(
            rf"[\s,](?:{pattern})$", f"{text}."
        )
        if found and found.start() > 0:
            text, form = text[: found.start()], word
            break
    core = re.sub(r"[^\w]+", " ", re.sub(r"\b(und|u\.)(?=\s)", "&", text).replace("&", " und ")).strip()
    return f"{core}|{form}"


def person_name_key(first: str, last: str) -> str:
    """A person's name for comparing: folded, without academic degrees."""
    words = re.sub(r"[^\w ]+", " ", f"{fold(first)} {fold(last)}").split()
    return " ".join(word for word in words if word not in _DEGREES)


_DEGREES = {
    "mag",
    "dr",
    "ddr",
    "mmag",
    "di",
    "dipl",
    "ing",
    "prof",
    "univ",
    "ba",
    "bsc",
    "ma",
    "msc",
    "mba",
    "phd",
    "llm",
}

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
_EXTENSION = re.compile(
    r"(?:(?<![a-z])(?:DW|Durchwahl|Klappe|Kl|ext)[\s.:\-]*|;ext=)(?P<digits>\d+)\s*$", re.IGNORECASE
)
_TRUNK_ZERO = re.compile(r"\(\s*0\s*\)")
_WEB_PREFIX = re.compile(r"^(?:https?://|www\.)+", re.IGNORECASE)
_SWISS_SUFFIX = re.compile(r"(?:MWST|TVA|IVA)+$")
_NO_COUNTRY = {"ZZ", "XA", "XB", "EU", "EZ", "UN", "QO"}
_SHARED = {"info", "office", "kontakt", "contact", "mail", "sekretariat", "buchhaltung", "verkauf", "sales", "service"}
_MORE_COUNTRIES = {
    "a": "AT", "d": "DE", "ch": "CH", "fl": "LI", "i": "IT", "h": "HU", "slo": "SI", "f": "FR", "b": "BE", "l": "LU",
    "e": "ES", "aut": "AT", "deu": "DE", "che": "CH", "lie": "LI", "ita": "IT", "svn": "SI", "hun": "HU", "cze": "CZ",
    "svk": "SK", "hrv": "HR", "pol": "PL", "fra": "FR", "nld": "NL", "bel": "BE", "lux": "LU", "esp": "ES", "gbr": "GB",
    "republik oesterreich": "AT", "republic of austria": "AT", "tschechische republik": "CZ", "czechia": "CZ",
    "czech republic": "CZ", "slovak republic": "SK", "grossbritannien": "GB", "england": "GB", "uk": "GB",
    "united kingdom": "GB", "great britain": "GB", "usa": "US", "u.s.a.": "US", "u.s.": "US", "us": "US",
    "united states of america": "US", "the netherlands": "NL", "holland": "NL", "bundesrepublik deutschland": "DE",
}  # fmt: skip
_SALUTATIONS = {
    "herr": "herr", "herrn": "herr", "hr": "herr", "mr": "herr", "frau": "frau", "fr": "frau", "ms": "frau",
    "mrs": "frau", "miss": "frau", "divers": "divers", "diverse": "divers", "mx": "divers",
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
    return clean(_form(kind, cleaned, region)) if cleaned else ""


def _form(kind: Kind, text: str, region: str) -> str:
    match kind:
        case Kind.PHONE:
            return _phone(text, region)
        case Kind.COUNTRY:
            return _country(text)
        case Kind.URL:
            return _url(text)
        case Kind.EMAIL:
            return _email(text)
        case Kind.VAT:
            return _vat(text)
        case Kind.SALUTATION:
            return _SALUTATIONS.get(text.lower().rstrip(" .")) or _unknown(text)
        case _:
            return text


def _unknown(text: str) -> str:
    """The form of what could not be understood: never equal to anything understood."""
    return f"?{fold(text).lstrip('? ')}"


@lru_cache(maxsize=10_000)
def _phone(text: str, region: str) -> str:
    """E.164 with the extension kept apart; what is no number is compared as it stands."""
    plain = _TRUNK_ZERO.sub("", text)
    extension = ""
    found = _EXTENSION.search(plain)
    if found:
        extension, plain = found["digits"], plain[: found.start()].strip()
    # Abroad is dialled 00 here, whatever the country of the record dials.
    written, parsed_extension = _international(re.sub(r"^00(?=[1-9])", "+", plain), region)
    if not written:
        return text
    extension = extension or parsed_extension
    return f"{written};ext={extension}" if extension else written


def _international(text: str, region: str) -> tuple[str, str]:
    """The number in E.164 and its extension; empty for what is no number, or none that E.164 can hold."""
    try:
        number = phonenumbers.parse(text, region)
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        again = phonenumbers.parse(written, None)
    except phonenumbers.NumberParseException:
        return "", ""
    same = phonenumbers.format_number(again, phonenumbers.PhoneNumberFormat.E164) == written
    return (written, number.extension or "") if same and phonenumbers.is_possible_number(number) else ("", "")


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    """ISO codes by folded name, German and English, with synonyms and the codes on cars."""
    names = {code.lower(): code for code in _country_codes()}
    for language in ("de", "en"):
        for code, name in Locale(language).territories.items():
            if code in _country_codes():
                names.setdefault(fold(name), code)
    return names | _MORE_COUNTRIES


@lru_cache(maxsize=1)
def _country_codes() -> frozenset[str]:
    found = (code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha())
    return frozenset(found) - _NO_COUNTRY


def _country(text: str) -> str:
    return _country_names().get(fold(text)) or _unknown(text)


def country_text(code: str, language: str) -> str:
    """The name of an ISO country in a language ("Austria"); the code itself when there is none."""
    return str(Locale(language).territories.get(code, code))


def _url(text: str) -> str:
    rest = _WEB_PREFIX.sub("", text)
    host, slash, path = rest.partition("/")
    return f"{host.lower()}{slash}{path}".rstrip("/ ")


def domain_of(text: str) -> str:
    """The host of a web address without ``www.``; empty when there is none."""
    return re.split(r"[/?#:]", canonical(Kind.URL, text), maxsplit=1)[0].rpartition("@")[2]


def _email(text: str) -> str:
    local, at, domain = text.rpartition("@")
    return f"{local.lower()}@{_ascii_domain(domain.lower())}" if at else text.lower()


@lru_cache(maxsize=10_000)
def _ascii_domain(domain: str) -> str:
    """The domain in punycode; one that no mail could reach stays as it is."""
    try:
        return (validate_email(f"x@{domain}", check_deliverability=False, test_environment=True).ascii_domain).lower()
    except EmailNotValidError:
        return domain


def is_shared_mailbox(email: str) -> bool:
    """Whether an address belongs to an office rather than a person."""
    return email.partition("@")[0].lower() in _SHARED


def _vat(text: str) -> str:
    plain = re.sub(r"[\s.\-/]", "", text.upper())
    return _SWISS_SUFFIX.sub("", plain) if plain.startswith("CHE") else plain


def vat_is_valid(vat: str) -> bool:
    """Whether the check digit of an Austrian, German or Swiss number fits; other countries by their shape."""
    if re.fullmatch(r"ATU\d{8}", vat, re.ASCII):
        return _austrian(vat[3:])
    if re.fullmatch(r"DE\d{9}", vat, re.ASCII):
        return _german(vat[2:])
    if re.fullmatch(r"CHE\d{9}", vat, re.ASCII):
        return _swiss(vat[3:])
    return bool(re.fullmatch(r"(IT\d{11}|HU\d{8}|SI\d{8}|CZ\d{8,10}|SK\d{10}|NL\d{9}B\d{2})", vat, re.ASCII))


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


def fold(text: str) -> str:
    """Lower case, umlauts written out, accents dropped: for searching, never for writing."""
    lowered = clean(text).lower()
    for umlaut, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        lowered = lowered.replace(umlaut, written)
    plain = unicodedata.normalize("NFKD", lowered)
    return clean("".join(char for char in plain if not unicodedata.combining(char)).lower())


_GMBH = r"(?:ges(?:ellschaft|\.)? ?m\.? ?b\.? ?h|gesellschaft mit beschraenkter haftung|g\.? ?m\.? ?b\.? ?h)"
_LEGAL_FORMS = tuple(
    (form, re.compile(rf"(?<=[^\s,(])[\s,(]+(?:{pattern})[\s.,)]*$"))
    for form, pattern in (
        ("gmbh & co kg", rf"{_GMBH}\.? ?(?:&|\+|u\.?|und)? ?co\.? ?kg"),
        ("ag & co kg", r"(?:ag|aktiengesellschaft) ?(?:&|\+|u\.?|und)? ?co\.? ?kg"),
        ("ggmbh", r"ggmbh|gemeinnuetzige gmbh"),
        ("gmbh", _GMBH),
        ("kgaa", r"kgaa|kommanditgesellschaft auf aktien"),
        ("partg mbb", r"partg? ?mbb|partnerschaft mbb"),
        ("partg", r"partg|partnerschaftsgesellschaft"),
        ("flexkapg", r"flexkapg|flexco|flexible kapitalgesellschaft"),
        ("privatstiftung", r"privatstiftung"),
        ("ug", r"ug(?: ?\(haftungsbeschraenkt\)?)?|unternehmergesellschaft"),
        ("ag", r"ag|aktiengesellschaft"),
        ("kg", r"kg|keg|kommandit(?:erwerbs)?gesellschaft"),
        ("og", r"og|oeg|ohg|offene (?:erwerbs|handels)?gesellschaft"),
        ("gbr", r"e?gbr|ges\.?b\.?r|gesellschaft buergerlichen rechts"),
        ("egen", r"reg\.? ?gen\.? ?m\.? ?b\.? ?h|e\.? ?gen|e\. ?g|eg|genossenschaft"),
        ("e.u.", r"e\. ?u|eu"),
        ("e.k.", r"e\. ?k(?:fm|fr)?|ek"),
        ("e.v.", r"e\. ?v|ev"),
        ("einzelfirma", r"einzelfirma"),
        ("se", r"se"),
        ("sarl", r"s\.? ?a\.? ?r\.? ?l"),
        ("sagl", r"sagl"),
        ("sa", r"s\. ?a|sa"),
    )
)


def company_core(name: str) -> str:
    """A company's name for comparing, without its legal form: folded, whole words, "&" and "u." as "und"."""
    return _core_and_form(name)[0]


def legal_form(name: str) -> str:
    """The legal form at the end of a name in one spelling ("Ges.m.b.H." is "gmbh"); empty when there is none."""
    return _core_and_form(name)[1]


def company_name_key(name: str) -> str:
    """A company's name for comparing, its legal form in one spelling.

    Different legal forms are different companies: "Huber GmbH" and "Huber KG" stay apart.
    """
    return "|".join(_core_and_form(name))


@lru_cache(maxsize=10_000)
def _core_and_form(name: str) -> tuple[str, str]:
    """The form is cut off first: "e. U." would not survive the rewriting of "u."."""
    text, forms = fold(name), list[str]()
    while found := _legal_form_at_end(text):
        form, text = found
        forms.insert(0, form)
    text = re.sub(r"\bu(?:nd\b|\.)|[&+]", " und ", text)
    return re.sub(r"[^\w]+", " ", text).strip(), " ".join(dict.fromkeys(forms))


def _legal_form_at_end(text: str) -> tuple[str, str] | None:
    """A form and what stands before it; a name never becomes empty."""
    for form, pattern in _LEGAL_FORMS:
        found = pattern.search(text)
        if found and re.search(r"\w", text[: found.start()]):
            return form, text[: found.start()]
    return None


def person_name_key(first: str, last: str) -> str:
    """A person's name for comparing: folded, without academic degrees, unless nothing else would be left."""
    words = re.sub(r"[^\w ]+", " ", f"{fold(first)} {fold(last)}").split()
    kept = [word for word in words if word not in _DEGREES]
    return " ".join(kept if len(kept) > 1 else words)


_DEGREES = {
    "mag", "dr", "ddr", "mmag", "di", "dipl", "ing", "prof", "univ",
    "ba", "bsc", "ma", "msc", "mba", "phd", "llm",
}  # fmt: skip

import pytest

from alembic_pgpatterns.patterns._words import names_any, words


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("deleted_at", ("deleted", "at")),
        ("deletedAt", ("deleted", "at")),
        ("HTTPStatusCode", ("http", "status", "code")),
        ("IS_DELETED", ("is", "deleted")),
        ("price2", ("price", "2")),
        ("größe_neu", ("größe", "neu")),
        ("__x__", ("x",)),
        ("", ()),
        ("!!", ()),
    ],
)
def test_an_identifier_falls_into_words(identifier: str, expected: tuple[str, ...]) -> None:
    assert words(identifier) == expected


@pytest.mark.parametrize("identifier", ["deleted_at", "DeletedAt", "user_deleted_at", "deleted_at_utc"])
def test_an_entry_of_several_words_is_found_whole(identifier: str) -> None:
    assert names_any(identifier, ("deleted_at",))


@pytest.mark.parametrize("identifier", ["undeleted_at", "deleted_attempts", "at_deleted", "deleted_by_at", "taxonomy"])
def test_parts_of_words_are_not_found(identifier: str) -> None:
    assert not names_any(identifier, ("deleted_at", "tax"))


def test_an_empty_entry_is_nowhere() -> None:
    assert not names_any("anything", ("",))

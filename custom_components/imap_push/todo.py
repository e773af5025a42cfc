"""The to-do lists of folders and saved searches: their newest messages are the items."""

from collections import defaultdict
from collections.abc import Coroutine, Iterable
from contextvars import ContextVar
from typing import Any, Final, override

from homeassistant.components.homeassistant.exposed_entities import KNOWN_ASSISTANTS
from homeassistant.components.todo import (
    TodoItem,
    TodoItemStatus,
    TodoListEntity,
    TodoListEntityFeature,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account.mail_list import MailSource
from .account.todo_list import (
    Completion,
    TodoList,
    description_of,
    item_id,
    summary_of,
    todo_list_of,
)
from .const import DOMAIN
from .coordinator import ImapPushConfigEntry
from .entity import MailListEntity, async_add_subentry_entities
from .imap import Mail, MailNotFound
from .mail.errors import error_for_user, translated_errors
from .permissions import Access, async_requester_of_todo, check_not_read_only

PARALLEL_UPDATES = 0

TODO: Final = EntityDescription(
    key="todo", translation_key="todo", entity_registry_enabled_default=False
)

# The context of the action that runs. Entity.async_set_context() is not enough: assistants call
# the methods of the entity without a context, so the last one could be that of another user.
_CONTEXT: ContextVar[Context | None] = ContextVar("imap_push_todo", default=None)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the to-do lists of all folders and searches."""
    async_add_subentry_entities(
        entry,
        async_add_entities,
        lambda entry, subentry: [MailTodoList(entry.runtime_data, subentry, TODO)],
    )


class MailTodoList(MailListEntity, TodoListEntity):
    """The newest messages as items. Completed ones are marked as read and leave the list."""

    _todo: TodoList

    @override
    def get_initial_entity_options(self) -> dict[str, dict[str, Any]]:
        """Do not expose the list: Home Assistant exposes to-do lists to assistants by default."""
        return {name: {"should_expose": False} for name in KNOWN_ASSISTANTS}

    @override
    def source_of(self, subentry: ConfigSubentry) -> MailSource:
        """Return the messages that are items."""
        self._todo = todo_list_of(subentry)
        features = (
            TodoListEntityFeature.DELETE_TODO_ITEM
            # Without this, the frontend does not show the text when an item is opened.
            | TodoListEntityFeature.SET_DESCRIPTION_ON_ITEM
        )
        if self._todo.completion is not None:
            features |= TodoListEntityFeature.UPDATE_TODO_ITEM
        self._attr_supported_features = features
        return self._todo.source

    @override
    def show(self, mails: tuple[Mail, ...] | None) -> None:
        """Set the items."""
        items = {item.uid: item for item in self._attr_todo_items or ()}
        self._attr_todo_items = (
            None
            if mails is None
            else [items.get(item_id(mail)) or _item(mail) for mail in mails]
        )

    @callback
    @override
    def async_set_context(self, context: Context) -> None:
        """Store the context of an action."""
        super().async_set_context(context)
        _CONTEXT.set(context)

    @override
    async def async_request_call[T](self, coro: Coroutine[Any, Any, T]) -> T:
        """Run an action, and forget its context afterwards."""
        token = _CONTEXT.set(None)
        try:
            return await super().async_request_call(coro)
        finally:
            _CONTEXT.reset(token)

    @override
    async def async_create_todo_item(self, item: TodoItem) -> None:
        """Refuse: assistants do not check that items cannot be added."""
        raise _not_editable()

    @override
    async def async_update_todo_item(self, item: TodoItem) -> None:
        """Mark the message of a completed item as read, or remove its flag."""
        await self._async_check_change()
        [mail] = self._mails_of([item.uid])
        shown = _item(mail)
        if item.summary != shown.summary or (
            item.description not in (None, shown.description)
        ):
            raise _not_editable()
        if item.status != TodoItemStatus.COMPLETED:
            return
        if (completion := self._todo.completion) is None:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="mail_not_completable"
            )
        await self._async_change([mail], completion)

    @override
    async def async_delete_todo_items(self, uids: list[str]) -> None:
        """Move messages to Trash."""
        await self._async_check_change()
        await self._async_change(self._mails_of(uids), None)

    async def _async_check_change(self) -> None:
        """Raise ServiceValidationError if who calls may not change mail."""
        requester = await async_requester_of_todo(self.hass, _CONTEXT.get())
        requester.check_access(Access.CHANGE, self.coordinator.config_entry)
        check_not_read_only(self.coordinator.config_entry)

    def _mails_of(self, uids: Iterable[str | None]) -> list[Mail]:
        """Return the messages of items. Raises HomeAssistantError if one is not in the list."""
        mails = {item_id(mail): mail for mail in self.mail_list.mails or ()}
        try:
            return [mails[uid or ""] for uid in uids]
        except KeyError:
            account = self.coordinator.config_entry.title
            raise error_for_user(MailNotFound(), account) from None

    async def _async_change(
        self, mails: list[Mail], completion: Completion | None
    ) -> None:
        """Complete messages, or move them to Trash; remove them from the list."""
        places: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for mail in mails:
            places[mail.folder, mail.uid_validity].append(mail.uid)
        missing = 0
        try:
            with translated_errors(self.coordinator.config_entry.title):
                for place, uids in places.items():
                    missing += await self._async_change_in(*place, uids, completion)
        finally:
            self.mail_list.refresh()
        if missing:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="some_missing",
                translation_placeholders={
                    "missing": str(missing),
                    "total": str(len(mails)),
                },
            )

    async def _async_change_in(
        self,
        folder: str,
        uid_validity: int,
        uids: list[int],
        completion: Completion | None,
    ) -> int:
        """Change messages of a folder; return how many of them do not exist anymore."""
        client = self.coordinator.client
        if completion is None:
            result = await client.delete(folder, uid_validity, uids)
        else:
            result = await client.set_flags(
                folder, uid_validity, uids, **completion._asdict()
            )
        self.mail_list.remove({(folder, uid_validity, uid) for uid in uids})
        return len(result.missing)


def _item(mail: Mail) -> TodoItem:
    return TodoItem(
        uid=item_id(mail),
        summary=summary_of(mail),
        description=description_of(mail),
        status=TodoItemStatus.NEEDS_ACTION,
    )


def _not_editable() -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key="mail_not_editable"
    )

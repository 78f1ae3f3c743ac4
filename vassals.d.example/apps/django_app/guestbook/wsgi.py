"""The WSGI entry point. Fills the in-memory database before the first request."""

import datetime
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "guestbook.settings")
application = get_wsgi_application()


def fill():
    from django.db import connection

    from guestbook.models import Entry

    if Entry._meta.db_table in connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        editor.create_model(Entry)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    Entry.objects.bulk_create(
        Entry(
            author="Guest %d" % n,
            text="I was here, and I was number %d of those who came to write a line in this book." % n,
            written=start + datetime.timedelta(hours=n),
        )
        for n in range(50)
    )


fill()

from django.db import models


class Entry(models.Model):
    author = models.CharField(max_length=80)
    text = models.TextField()
    written = models.DateTimeField()

    class Meta:
        app_label = "guestbook"
        ordering = ["-written"]

from django.http import HttpResponse
from django.shortcuts import render

from guestbook.models import Entry


def index(request):
    """A page as real sites have it: a query, a template with inheritance and a loop."""
    return render(request, "index.html", {"entries": Entry.objects.all()[:20], "host": request.get_host()})


def plain(request):
    return HttpResponse("plain\n", content_type="text/plain")

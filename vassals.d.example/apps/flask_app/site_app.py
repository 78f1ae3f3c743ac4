"""A small Flask site: a page and a JSON answer."""

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.route("/")
def index():
    return "Hello from Flask on %s\n" % request.host


@app.route("/json")
def as_json():
    return jsonify(message="Hello, world!", path=request.path, numbers=list(range(10)))


@app.route("/echo", methods=["POST"])
def echo():
    return request.get_data(), 200, {"Content-Type": "application/octet-stream"}

/*
 * names - field names and paths on their way into a CGI environment (RFC 3875 4.1); what http1 and uwsgi share.
 */
#pragma once
#include "shared/vars.h"

/* Fields that mean something to us. */
enum proto_name_kind {
	NAME_OTHER,
	NAME_CONNECTION,
	NAME_CONTENT_LENGTH,
	NAME_CONTENT_TYPE,
	NAME_COOKIE,
	NAME_EXPECT,
	NAME_FORWARDED,
	NAME_HOST,
	NAME_PROXY,
	NAME_TE,
	NAME_TRAILER,
	NAME_TRANSFER_ENCODING,
	NAME_UPGRADE,
	NAME_X_FORWARDED_FOR,
	NAME_X_FORWARDED_HOST,
	NAME_X_FORWARDED_PROTO,
	NAME_X_FORWARDED_OTHER, /* whatever else begins with X-Forwarded- */
	NAME_X_REAL_IP,
	NAME_X_REQUEST_ID,
	NAME_X_REQUEST_START,
};

/* Without regard to case. */
enum proto_name_kind proto_name_kind(struct span name);

/*
 * Never written as HTTP_*: Content-Length and Host have variables of their own; Transfer-Encoding, TE and Trailer are
 * about bytes that the app does not see; HTTP_PROXY is what many libraries take for the outgoing proxy ("httpoxy").
 */
bool proto_name_is_private(enum proto_name_kind kind);

/* name.n bytes to p: upper case, '-' becomes '_'. name is a token. */
void proto_name_to_cgi(char *p, struct span name);

/* Of a name without regard to case; not empty. To find equal names, never as a proof that they are. */
uint32_t proto_name_hash(struct span name);

/*
 * Adds SCRIPT_NAME and PATH_INFO: raw path cut behind script where that is a prefix on a segment boundary, then both
 * percent-decoded. "*" (OPTIONS) has neither. An escape that is none stays as it is.
 */
void proto_path_add(struct vars *vars, struct span path, struct span script);

/* Decodes into to (path.n bytes are enough); returns its length. */
size_t proto_path_decode(char *to, struct span path);

/* Would decoding give a NUL? No file system and few apps can live with one. */
bool proto_path_holds_nul(struct span path);

/* Is raw, decoded, this path? Of slashes in a row, which web servers make one, raw may have more. */
bool proto_path_is(struct span raw, struct span path);

/* Is path inside script, on a segment boundary? Slashes at script's end do not count: *ret_script is without. */
bool proto_path_split(struct span path, struct span script, struct span *ret_script);

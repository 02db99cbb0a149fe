// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"

static char trigger_path[128], hist_path[128], trigger_text[256];

/* Static, so that reading causes no fault once it was used. */
static char hist_text[256 << 10];

void event_set(const char *event, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), EVENTS "%s/%s", event, file);
	ktap_need(file_write(path, text) == 0, "write \"%s\" to %s", text, path);
}

void event_untrigger(void)
{
	if (!trigger_text[0])
		return;
	file_write(trigger_path, trigger_text);
	trigger_text[0] = '\0';
}

void event_trigger(const char *event, const char *trigger)
{
	static bool registered;

	if (!registered)
		at_end(event_untrigger);
	registered = true;
	snprintf(trigger_path, sizeof(trigger_path), EVENTS "%s/trigger", event);
	snprintf(hist_path, sizeof(hist_path), EVENTS "%s/hist", event);
	ktap_need(file_write(trigger_path, trigger) == 0,
		  "write \"%s\" to %s", trigger, trigger_path);
	snprintf(trigger_text, sizeof(trigger_text), "!%s", trigger);
}

/* The number behind "name:", in a text that ends with the line. */
static unsigned long number_of(const char *text, const char *name)
{
	const char *end = text + strcspn(text, "\n");
	size_t length = strlen(name);

	for (; text < end; text++)
		if (strncmp(text, name, length) == 0 && text[length] == ':' &&
		    (text[-1] == ' ' || text[-1] == '\n'))
			return strtoul(text + length + 1, NULL, 10);
	return 0;
}

bool hist_read(void)
{
	const char *dropped;

	if (!file_read(hist_path, hist_text, sizeof(hist_text)))
		return false;
	dropped = strstr(hist_text, "\n    Dropped:");
	return dropped && number_of(dropped + 1, "Dropped") == 0;
}

unsigned long hist_hits(void)
{
	const char *hits = strstr(hist_text, "\n    Hits:");

	ktap_need(hits != NULL, "no Hits in %s", hist_path);
	return number_of(hits + 1, "Hits");
}

struct hist hist_row(const char *key, const char *const values[HIST_VALUES])
{
	struct hist sum = { 0 };

	for (char *line = hist_text; *line; line += strcspn(line, "\n")) {
		char has[128] = "";
		const char *rest;
		size_t used = 0;

		line += *line == '\n';
		if (*line != '{')
			continue;
		/* "{ class:          1, user: 0 }" becomes "class:1,user:0". */
		for (rest = line + 1; *rest != '}' && *rest != '\n'; rest++)
			if (*rest != ' ' && used < sizeof(has) - 1)
				has[used++] = *rest;
		if (*rest != '}' || strcmp(has, key))
			continue;
		sum.hits = number_of(rest, "hitcount");
		for (size_t i = 0; i < HIST_VALUES; i++)
			if (values && values[i])
				sum.values[i] = number_of(rest, values[i]);
	}
	return sum;
}

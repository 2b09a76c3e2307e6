/* SPDX-License-Identifier: Apache-2.0 */
/* An image as JSON, by the descriptors of its messages alone: every kind of record is covered. */
#pragma once

#include <jansson.h>

#include "cr/image/image.h"

/* A message as an object; fields that are not set are left out. NULL without memory. */
json_t *message_json(const ProtobufCMessage *msg);
/* The whole: info, files, records in the order of writing. NULL without memory. */
json_t *image_json(const struct image *img);

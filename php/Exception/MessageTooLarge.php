<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * Params over `broker.max_message_size` bytes of JSON.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class MessageTooLarge extends \LengthException implements ExceptionInterface
{
}

<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * For listeners to throw where they know when to try again. Counts as an attempt.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class RetryAfterException extends \RuntimeException implements ExceptionInterface
{
    private float $seconds;

    /**
     * @param float $seconds from now to the next attempt
     */
    public function __construct(string $message, float $seconds, ?\Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
        $this->seconds = $seconds;
    }

    public function getSeconds(): float
    {
        return $this->seconds;
    }
}

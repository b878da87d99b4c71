<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception\Configuration;
use Proletarier\Extension;

/**
 * The message about the missing extension.
 */
final class ExtensionTest extends TestCase
{
    public function testNamesSapiFileAndLine(): void
    {
        self::assertSame(
            sprintf(
                'The PHP extension proletarier is not loaded in PHP %s for the SAPI fpm-fcgi. Add the line "extension=proletarier" to '
                . '/etc/php/8.2/fpm/php.ini, or to a new file proletarier.ini in /etc/php/8.2/fpm/conf.d. Then restart php-fpm.',
                PHP_VERSION
            ),
            Extension::missing('fpm-fcgi', '/etc/php/8.2/fpm/php.ini', '/etc/php/8.2/fpm/conf.d')
        );
    }

    public function testNamesWhereAPhpIniWouldBe(): void
    {
        self::assertStringContainsString(
            sprintf('Add the line "extension=proletarier" to a new file %s/php.ini (none is loaded now).', PHP_CONFIG_FILE_PATH),
            Extension::missing('cli', null, '')
        );
    }

    public function testThrows(): void
    {
        if (extension_loaded('proletarier')) {
            self::markTestSkipped('the extension is loaded');
        }
        $this->expectException(Configuration::class);
        $this->expectExceptionMessage('for the SAPI cli');
        Extension::assertLoaded();
    }
}
